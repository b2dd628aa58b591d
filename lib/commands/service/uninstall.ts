import { dirname } from "node:path";
import { ConfigError } from "../../config/config_error.ts";
import { endLayerLeases, type LeasePlace } from "../../agent/end_layer_leases.ts";
import { messageOf } from "../../async/thrown.ts";
import { type Config, OPTIONS } from "../../config/options.ts";
import { parseConfig } from "../../config/parse.ts";
import { restoreConfiguration } from "../../configurator/configure.ts";
import { denoFileSystem } from "../../configurator/deno_file_system.ts";
import type { CommandIo } from "../io.ts";
import { placesToRestore } from "../places_to_restore.ts";
import { parseEnvironmentFile } from "./environment_file.ts";
import { run } from "./install.ts";
import { exists, readText, removeIfEmpty } from "./node_files.ts";
import { SERVICE_ENVIRONMENT } from "./service_files.ts";
import { checkServiceNode, type ServiceNode, serviceNode, UNIT } from "./service_node.ts";
import { type Step, takeSteps } from "./step.ts";

/** Input of the plan. */
export interface UninstallSettings {
  /** The configured directory of registry hosts. */
  readonly registryConfigPath: string | undefined;
  /** Where containerd is, unless the service's settings say so. */
  readonly containerd: LeasePlace;
  /** Ends leases that keep layers, or names them. */
  readonly endLeases: (
    place: LeasePlace,
    options: { readonly dryRun: boolean },
  ) => Promise<readonly string[]>;
}

/** The steps, and remarks on what is kept. */
export interface UninstallPlan {
  readonly steps: readonly Step[];
  readonly remarks: readonly string[];
}

/** Removes the service and restores the node. */
export async function uninstallCommand(config: Config, io: CommandIo): Promise<number> {
  const node = serviceNode();
  await checkServiceNode(node, "uninstall");
  const { steps, remarks } = await planUninstall(node, {
    registryConfigPath: config.containerdRegistryConfigPath || undefined,
    containerd: config,
    endLeases: (place, options) => endLayerLeases(place, { ...options, signal: io.signal }),
  });
  await takeSteps(steps, io, config.dryRun);
  for (const remark of remarks) io.stderr(`note: ${remark}\n`);
  return 0;
}

/**
 * Plans the steps that remove the service. It is stopped first, so that it repairs nothing; then
 * containerd's configuration is restored; files are removed last, so that a failure can be retried.
 * Changes nothing.
 */
export async function planUninstall(
  node: ServiceNode,
  settings: UninstallSettings,
): Promise<UninstallPlan> {
  const { paths, systemctl, root } = node;
  const steps: Step[] = [];
  const remarks: string[] = [];
  const hasUnit = await exists(paths.unit);
  if (hasUnit) steps.push(run(node, "disable", "--now", UNIT));

  const environment = await readText(paths.environment);
  const named = [settings.registryConfigPath, registryConfigPathOf(environment ?? "")]
    .filter((path): path is string => path !== undefined && path !== "");
  for (const { path, warnings } of await placesToRestore({ root, named })) {
    steps.push({
      says: `restore ${path}`,
      run: () =>
        restoreConfiguration({ fileSystem: denoFileSystem }, { configPath: path }).then(() => {}),
    });
    remarks.push(...warnings);
  }

  try {
    steps.push(...await planLeases(settings, environment ?? ""));
  } catch (error) {
    remarks.push(`layers may be kept until their lease ends: ${messageOf(error)}`);
  }

  if (hasUnit) {
    steps.push(remove(paths.unit), run(node, "daemon-reload"));
    if (await systemctl.asks("is-failed", UNIT)) steps.push(run(node, "reset-failed", UNIT));
  }
  if (environment === SERVICE_ENVIRONMENT) {
    const directory = dirname(paths.environment);
    steps.push({
      says: `remove ${paths.environment}`,
      run: () => Deno.remove(paths.environment).then(() => removeIfEmpty(directory)),
    });
  } else if (environment !== undefined) {
    remarks.push(`${paths.environment} is kept, for it was edited; remove it if you are done`);
  }
  if (await exists(paths.dropIns)) remarks.push(`${paths.dropIns} is kept, for it is yours`);
  if (await exists(paths.state)) steps.push(remove(paths.state));
  if (await exists(paths.binary)) steps.push(remove(paths.binary));
  return { steps, remarks };
}

/** Without an agent leases end by themselves, later. */
async function planLeases(
  { containerd, endLeases }: UninstallSettings,
  environment: string,
): Promise<Step[]> {
  const { containerdSock, containerdNamespace } = containerd;
  const service = serviceConfig(environment);
  const isDefault = containerdNamespace === OPTIONS.containerdNamespace.default;
  const place = {
    containerdSock: containerdSock ?? service?.containerdSock,
    containerdNamespace: (isDefault ? service?.containerdNamespace : undefined) ??
      containerdNamespace,
  };
  const names = await endLeases(place, { dryRun: true });
  if (names.length === 0) return [];
  const run = () => endLeases(place, { dryRun: false }).then(() => {});
  return [{ says: `end the lease ${names.join(", ")}`, run }];
}

/** The directory of registry hosts in the service's settings; undefined: it detects it. */
function registryConfigPathOf(environment: string): string | undefined {
  const config = serviceConfig(environment);
  // The agent did not start with invalid settings either; the directory may still be right.
  return config === undefined
    ? Object.fromEntries(parseEnvironmentFile(environment))["CONTAINERD_REGISTRY_CONFIG_PATH"]
    : config.containerdRegistryConfigPath;
}

/** The service's settings; undefined if they are invalid. */
function serviceConfig(environment: string): Config | undefined {
  const env = Object.fromEntries(parseEnvironmentFile(environment));
  try {
    const readFile = (path: string) => Deno.readTextFileSync(path);
    return parseConfig({ command: "agent", args: [], env, readFile });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function remove(path: string): Step {
  return { says: `remove ${path}`, run: () => Deno.remove(path, { recursive: true }) };
}
