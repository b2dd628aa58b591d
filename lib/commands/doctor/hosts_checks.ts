import type { Config } from "../../config/options.ts";
import { registryHost } from "../../config/types.ts";
import { denoFileSystem } from "../../configurator/deno_file_system.ts";
import { effectiveHosts } from "../../configurator/effective_hosts.ts";
import { hostKey } from "../../configurator/hosts_document.ts";
import { planConfiguration } from "../../configurator/plan_configuration.ts";
import { DEFAULT_FOLDER, registryOfFolder } from "../../configurator/settings.ts";
import { isWildcardRegistry } from "../../oci/filter.ts";
import type { Check } from "../../ports/check.ts";
import { configuratorOptions } from "../../agent/mirror_configuration.ts";
import { CONFIG_PATH, failed, ok, skipped } from "../../agent/preflight.ts";

/** Input of the checks of the mirror configuration. */
export interface HostsCheckInput {
  readonly config: Config;
  /** Directory for mirror configuration; undefined: none is written. */
  readonly configPath: string | undefined;
  /** Directories that containerd reads, in order; undefined if it does not report them. */
  readonly readPaths: readonly string[] | undefined;
  /** Whether it is known that containerd does not use {@link configPath}. */
  readonly isIgnored?: boolean;
  /** Base URLs of the agent. */
  readonly targets: readonly string[];
  readonly authorization: string | undefined;
}

/** Stands for registries without a folder of their own, which use the default one. */
const UNLISTED = "registry.invalid";

/** Checks that the mirror configuration is in place, and that containerd uses it. */
export async function checkHosts(input: HostsCheckInput): Promise<Check[]> {
  const { configPath } = input;
  if (configPath === undefined) {
    return [skipped("mirror configuration", "is not written by this agent")];
  }
  return [await checkWritten(input, configPath), await checkUsed(input, configPath)];
}

async function checkWritten(input: HostsCheckInput, configPath: string): Promise<Check> {
  const name = "mirror configuration";
  const plan = await planConfiguration(
    { fileSystem: denoFileSystem },
    configuratorOptions({
      ...input.config,
      containerdRegistryConfigPath: configPath,
      authorization: () => input.authorization,
    }),
  );
  const [change, ...more] = plan.changes;
  if (change !== undefined) {
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    return failed(
      name,
      `${change.path}${others} ${more.length === 0 ? "is" : "are"} not as this agent writes ` +
        (more.length === 0 ? "it" : "them"),
      "see `eddy configure --dry-run` with the agent's options; `eddy configure` repairs it, and " +
        "so does an agent when it starts; find out what else writes there",
    );
  }
  const [warning] = plan.warnings;
  if (warning !== undefined) return failed(name, warning, "correct or remove that file");
  return ok(name, `is in place in ${configPath}`);
}

async function checkUsed(input: HostsCheckInput, configPath: string): Promise<Check> {
  const name = "mirror configuration is used";
  if (input.isIgnored) return skipped(name, `see ${CONFIG_PATH}`);
  const paths = input.readPaths ?? [configPath];
  const registries = await registriesToTry(input.config, paths);
  const own = new Set(input.targets.map(hostKey));
  for (const registry of registries) {
    const shown = registry === UNLISTED ? "a registry without a folder of its own" : registry;
    const found = await effectiveHosts(denoFileSystem, paths, registry);
    if (found === undefined) {
      return failed(
        name,
        `for ${shown} containerd finds nothing in ${paths.join(":")}, so it asks upstream alone`,
        "run `eddy configure` with the agent's options",
      );
    }
    const { directory, file, hosts, problem } = found;
    const where = file ?? `${directory}, which has no hosts.toml`;
    if (problem !== undefined) {
      return failed(
        name,
        `${where} cannot be read: ${problem}`,
        "correct or remove that file",
      );
    }
    if (hosts[0] === undefined || !own.has(hostKey(hosts[0]))) {
      const instead = hosts[0] === undefined ? "upstream" : hosts[0];
      return failed(
        name,
        `for ${shown} containerd goes by ${where}, and asks ${instead} first, not Eddy`,
        directory.startsWith(`${configPath}/`)
          ? "run `eddy configure` with the agent's options"
          : `move what is in ${directory} to ${configPath} and remove it there, or put ` +
            `${configPath} first in config_path`,
      );
    }
  }
  return ok(name, `containerd asks ${input.targets[0]} first`);
}

/** The mirrored registries; without a list, all that have a folder, and one without. */
async function registriesToTry(config: Config, paths: readonly string[]): Promise<string[]> {
  const named = config.mirroredRegistries.map(registryHost)
    .filter((name) => !isWildcardRegistry(name));
  if (named.length > 0) return named;
  const found = new Set<string>();
  for (const path of paths) {
    for (const { name } of await denoFileSystem.list(path) ?? []) {
      const registry = registryOfFolder(name);
      if (registry !== undefined && registry !== DEFAULT_FOLDER) found.add(registry);
    }
  }
  return [...found, UNLISTED];
}
