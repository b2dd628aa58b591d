import { inBackground } from "../async/in_background.ts";
import { configure } from "../configurator/configure.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import type { ConfiguratorOptions } from "../configurator/settings.ts";
import { watchConfiguration } from "../configurator/watch_configuration.ts";
import type { Config } from "../config/options.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Log } from "../ports/log.ts";
import { localUrl } from "../net/host_port.ts";

type MirrorConfig =
  & Pick<
    Config,
    | "registryAddr"
    | "mirroredRegistries"
    | "mirrorTargets"
    | "additionalMirrorRegistries"
    | "prependExisting"
    | "resolveTags"
  >
  & {
    readonly containerdRegistryConfigPath: string;
    /** The `Authorization` header that containerd must send to Eddy; undefined: none. */
    readonly authorization: () => string | undefined;
  };

/** Options of the configurator. */
export function configuratorOptions(config: MirrorConfig): ConfiguratorOptions {
  const authorization = config.authorization();
  return {
    configPath: config.containerdRegistryConfigPath,
    mirroredRegistries: config.mirroredRegistries,
    mirrorTargets: mirrorTargetsOf(config),
    additionalMirrorRegistries: config.additionalMirrorRegistries,
    prependExisting: config.prependExisting,
    resolveTags: config.resolveTags,
    authorization,
  };
}

/** URLs at which containerd reaches Eddy. */
export function mirrorTargetsOf(
  { mirrorTargets, registryAddr }: Pick<Config, "mirrorTargets" | "registryAddr">,
): readonly string[] {
  return mirrorTargets.length > 0 ? mirrorTargets : [localUrl(registryAddr)];
}

/** Writes the mirror configuration and logs the changes. */
export async function applyMirrorConfiguration(config: MirrorConfig, log: Log): Promise<void> {
  const plan = await configure({ fileSystem: denoFileSystem }, configuratorOptions(config));
  for (const warning of plan.warnings) log.warn(warning);
  log.info("mirror configuration is in place", {
    path: config.containerdRegistryConfigPath,
    changed: plan.changes.map((change) => change.path),
  });
}

/** Repairs the mirror configuration when something else changes it; returns a stop function. */
export function keepMirrorConfiguration(
  config: MirrorConfig,
  { log, clock }: Pick<Runtime, "clock" | "log">,
): () => Promise<void> {
  return inBackground(
    ({ signal }) =>
      watchConfiguration({ fileSystem: denoFileSystem, clock, log }, {
        configuration: () => configuratorOptions(config),
        signal,
      }),
    (error) => log.error("mirror configuration is no longer watched", { error }),
  );
}
