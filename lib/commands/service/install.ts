import { ConfigError } from "../../config/config_error.ts";
import type { Config } from "../../config/options.ts";
import type { CommandIo } from "../io.ts";
import { copyProgram, exists, readText, sameContent, writeFile } from "./node_files.ts";
import { SERVICE_ENVIRONMENT, SERVICE_UNIT } from "./service_files.ts";
import { checkServiceNode, type ServiceNode, serviceNode, UNIT } from "./service_node.ts";
import { type Step, takeSteps } from "./step.ts";

/** Installs Eddy as a service of this node, or updates it to this version. */
export async function installCommand(config: Config, io: CommandIo): Promise<number> {
  const node = serviceNode();
  await checkServiceNode(node, "install");
  await takeSteps(await planInstall(node), io, config.dryRun);
  return 0;
}

/**
 * Plans the steps after which this version of the service is installed, enabled and running; none
 * if it is. An existing environment file belongs to the user and is kept. Changes nothing.
 *
 * @throws {ConfigError} if this program cannot be installed.
 */
export async function planInstall(node: ServiceNode): Promise<Step[]> {
  const { paths, systemctl, executable } = node;
  if (executable === undefined) {
    throw new ConfigError(
      "install: this is Eddy's source, want the binary: deno task compile, then " +
        "dist/eddy install",
    );
  }
  const steps: Step[] = [];
  if (!await sameContent(executable, paths.binary)) {
    steps.push({
      says: `copy ${executable} to ${paths.binary}`,
      run: () => copyProgram(executable, paths.binary),
    });
  }
  if (await readText(paths.unit) !== SERVICE_UNIT) {
    steps.push(
      { says: `write ${paths.unit}`, run: () => writeFile(paths.unit, SERVICE_UNIT) },
      run(node, "daemon-reload"),
    );
  }
  const changed = steps.length > 0;
  if (!await exists(paths.environment)) {
    steps.push({
      says: `write ${paths.environment}`,
      run: () => writeFile(paths.environment, SERVICE_ENVIRONMENT),
    });
  }
  if (!await systemctl.asks("is-enabled", UNIT)) steps.push(run(node, "enable", UNIT));
  const active = await systemctl.asks("is-active", UNIT);
  // A start that fails, e.g. as containerd does not run yet, is retried by systemd.
  if (!active) steps.push(run(node, "start", UNIT));
  else if (changed) steps.push(run(node, "restart", UNIT));
  return steps;
}

/** A step that runs systemctl. */
export function run({ systemctl }: ServiceNode, ...args: readonly string[]): Step {
  return { says: `run systemctl ${args.join(" ")}`, run: () => systemctl.run(...args) };
}
