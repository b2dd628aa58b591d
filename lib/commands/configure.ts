import type { Config } from "../config/options.ts";
import { configure } from "../configurator/configure.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { diffConfiguration } from "../configurator/diff_configuration.ts";
import type { ConfigurationPlan } from "../configurator/plan.ts";
import { planConfiguration } from "../configurator/plan_configuration.ts";
import { configuratorOptions } from "../agent/mirror_configuration.ts";
import { configuredAuthorization } from "../agent/basic_auth.ts";
import type { CommandIo } from "./io.ts";
import { registryConfigPath } from "../agent/registry_config_path.ts";

/** Writes containerd's mirror configuration, or prints what it would write. */
export async function configureCommand(config: Config, io: CommandIo): Promise<number> {
  const containerdRegistryConfigPath = await registryConfigPath(config);
  const authorization = await configuredAuthorization(config);
  const options = configuratorOptions({
    ...config,
    containerdRegistryConfigPath,
    authorization: () => authorization,
  });
  const collaborators = { fileSystem: denoFileSystem };
  if (config.dryRun) {
    return report(await planConfiguration(collaborators, options), io, diffConfiguration);
  }
  return report(await configure(collaborators, options), io, listChanges);
}

/** Prints the changes and warnings of a plan. */
export function report(
  plan: ConfigurationPlan,
  io: CommandIo,
  render: (plan: ConfigurationPlan) => string,
): number {
  for (const warning of plan.warnings) io.stderr(`warning: ${warning}\n`);
  const text = plan.steps.length === 0 ? "nothing to change" : render(plan);
  io.stdout(text.endsWith("\n") ? text : `${text}\n`);
  return 0;
}

/** One line per changed file. */
export function listChanges(plan: ConfigurationPlan): string {
  const verb = (before: unknown, after: unknown) =>
    after === undefined ? "removed" : before === undefined ? "wrote" : "changed";
  return plan.changes.map(({ path, before, after }) => `${verb(before, after)} ${path}\n`).join("");
}
