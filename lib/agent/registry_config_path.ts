import type { Config } from "../config/options.ts";
import { detectContainerd } from "../store/containerd/detect_containerd.ts";

/** Where containerd looks for registry hosts unless it is told otherwise. */
export const DEFAULT_REGISTRY_CONFIG_PATH = "/etc/containerd/certs.d";

/** The directory of registry hosts: as configured, else that of the containerd on this node. */
export async function registryConfigPath(config: Config): Promise<string> {
  if (config.containerdRegistryConfigPath) return config.containerdRegistryConfigPath;
  return (await detectContainerd())?.registryConfigPath ?? DEFAULT_REGISTRY_CONFIG_PATH;
}
