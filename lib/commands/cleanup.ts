import type { Config } from "../config/options.ts";
import { restoreConfiguration } from "../configurator/configure.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { diffConfiguration } from "../configurator/diff_configuration.ts";
import { planRestore } from "../configurator/plan_restore.ts";
import { listChanges, report } from "./configure.ts";
import type { CommandIo } from "./io.ts";
import { placesToRestore } from "./places_to_restore.ts";
import { registryConfigPath } from "./registry_config_path.ts";

/**
 * Restores containerd's registry configuration, or shows what that would change: in the directory that
 * is named, else wherever Eddy changed it, even where containerd does not run any more.
 */
export async function cleanupCommand(config: Config, io: CommandIo): Promise<number> {
  const collaborators = { fileSystem: denoFileSystem };
  for (const configPath of await pathsOf(config)) {
    const options = { configPath };
    if (config.dryRun) {
      report(await planRestore(collaborators, options), io, diffConfiguration);
    } else {
      report(await restoreConfiguration(collaborators, options), io, listChanges);
    }
  }
  return 0;
}

async function pathsOf(config: Config): Promise<readonly string[]> {
  if (config.containerdRegistryConfigPath) return [config.containerdRegistryConfigPath];
  const places = await placesToRestore({ root: "/", named: [] });
  return places.length > 0 ? places.map(({ path }) => path) : [await registryConfigPath(config)];
}
