import type { Config } from "../config/options.ts";
import { restoreConfiguration } from "../configurator/configure.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { diffConfiguration } from "../configurator/diff_configuration.ts";
import { planRestore } from "../configurator/plan_restore.ts";
import { listChanges, report } from "./configure.ts";
import type { CommandIo } from "./io.ts";
import { registryConfigPath } from "./registry_config_path.ts";

/** Restores containerd's registry configuration, or shows what that would change. */
export async function cleanupCommand(config: Config, io: CommandIo): Promise<number> {
  const options = { configPath: await registryConfigPath(config) };
  const collaborators = { fileSystem: denoFileSystem };
  if (config.dryRun) {
    return report(await planRestore(collaborators, options), io, diffConfiguration);
  }
  return report(await restoreConfiguration(collaborators, options), io, listChanges);
}
