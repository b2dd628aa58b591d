import type { Config } from "../config/options.ts";
import { detectContainerd } from "../store/containerd/detect_containerd.ts";

/** Directory of registry hosts that distributions of containerd configure. */
export const DEFAULT_REGISTRY_CONFIG_PATH = "/etc/containerd/certs.d";

/** The directory of registry hosts: the configured one, else that of this node's containerd. */
export async function registryConfigPath(config: Config): Promise<string> {
  if (config.containerdRegistryConfigPath) return config.containerdRegistryConfigPath;
  return (await detectContainerd())?.registryConfigPath ?? DEFAULT_REGISTRY_CONFIG_PATH;
}
