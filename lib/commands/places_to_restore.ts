import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { planRestore } from "../configurator/plan_restore.ts";
import { REGISTRY_CONFIG_PATHS } from "../store/containerd/detect_containerd.ts";
import { join } from "node:path";

/** A directory of registry hosts that Eddy changed. */
export interface PlaceToRestore {
  readonly path: string;
  readonly warnings: readonly string[];
}

/**
 * Finds the directories in which Eddy changed registry hosts, among those given and those of every
 * kind of containerd. containerd need not run: k3s may have been stopped before.
 */
export async function placesToRestore(
  { root, named }: { readonly root: string; readonly named: readonly string[] },
): Promise<PlaceToRestore[]> {
  const known = REGISTRY_CONFIG_PATHS.map((path) => join(root, path));
  const places: PlaceToRestore[] = [];
  for (const path of new Set([...named, ...known])) {
    const plan = await planRestore({ fileSystem: denoFileSystem }, { configPath: path });
    if (plan.steps.length > 0) places.push({ path, warnings: plan.warnings });
  }
  return places;
}
