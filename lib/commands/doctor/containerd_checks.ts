import type { Config } from "../../config/options.ts";
import type { Check } from "../../ports/check.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { ContainerdClient } from "../../store/containerd/client.ts";
import {
  type ContainerdInstallation,
  detectContainerd,
} from "../../store/containerd/detect_containerd.ts";
import { type ContainerdProbe, probeContainerd } from "../../store/containerd/probe_containerd.ts";
import { embeddedMirrorOf } from "../../agent/embedded_mirror.ts";
import {
  CONFIG_PATH,
  failed,
  inspectContainerd,
  ok,
  skipped,
  warning,
} from "../../agent/preflight.ts";
import { registryConfigPath } from "../../agent/registry_config_path.ts";
import { checkContainerdFile } from "./containerd_file.ts";
import { checkOtherRuntimes, describeDistribution } from "./node_checks.ts";

const DEFAULT_CONFIG_FILE = "/etc/containerd/config.toml";

/** What the checks know of the node's containerd. */
export interface ContainerdReport {
  readonly checks: readonly Check[];
  /** Undefined if it does not answer, or images are in another store. */
  readonly probe: ContainerdProbe | undefined;
  /** Directory for mirror configuration; undefined: none is written. */
  readonly configPath: string | undefined;
}

/** Checks the version and configuration of the node's containerd. */
export async function checkContainerdOfNode(
  config: Config,
  options: Cancellable & {
    readonly strict?: boolean;
    /** Whether an agent has found that containerd asks it; undefined: it has not tried. */
    readonly isMirrorUsed?: boolean | undefined;
  },
): Promise<ContainerdReport> {
  const wanted = config.containerdRegistryConfigPath;
  if (config.store !== undefined && config.store !== "containerd") {
    const detail = `images are in ${config.store}, so containerd is not checked`;
    const checks = [skipped("containerd", detail)];
    return { checks, probe: undefined, configPath: wanted || undefined };
  }
  const configPath = wanted === "" ? undefined : await registryConfigPath(config);
  const installation = await detectContainerd();
  const socket = config.containerdSock ?? installation?.socketPath;
  if (socket === undefined) {
    const detail = "no socket of containerd was found where a known distribution has it";
    const checks = [
      failed("containerd", detail, "set --containerd-sock to the path of its socket"),
      ...await checkOtherRuntimes(),
    ];
    return { checks, probe: undefined, configPath };
  }
  const client = new ContainerdClient(socket, { namespace: config.containerdNamespace });
  try {
    const contentPath = config.containerdContentPath;
    const probe = await probeContainerd(client, {
      signal: options.signal,
      contentPath,
    });
    if (!probe.reachable) {
      const fix = "start containerd, or set --containerd-sock; Eddy needs permission to use it";
      const checks = [failed("containerd", `${socket} does not answer (${probe.error})`, fix)];
      return { checks, probe: undefined, configPath };
    }
    // The paths of an installation belong to its socket; another containerd has others.
    const here = installation?.socketPath === socket ? installation : undefined;
    const path = config.containerdConfig ?? here?.configFile ?? DEFAULT_CONFIG_FILE;
    const file = await checkContainerdFile(path, probe.version);
    const settings = {
      registryConfigPath: configPath,
      contentPathGiven: contentPath !== undefined,
      keepLayers: config.keepLayers,
      localImagePull: options.isMirrorUsed ?? file.localImagePull,
      strict: options.strict ?? false,
    };
    const checks = [
      ok("containerd", `answers at ${socket}`),
      ...await checkNode(here, inspectContainerd(probe, settings)),
      file.check,
      ...await checkEmbedded(installation, configPath),
    ];
    return { checks, probe, configPath };
  } finally {
    client.close();
  }
}

/** The checks of containerd's settings, after what is known of the node. */
async function checkNode(
  installation: ContainerdInstallation | undefined,
  inspected: readonly Check[],
): Promise<Check[]> {
  const isConfigPathWrong = inspected.some(({ name, state }) =>
    name === CONFIG_PATH && (state === "failed" || state === "warning")
  );
  return [
    ...(installation === undefined ? [] : [
      describeDistribution(installation, { isConfigPathWrong }),
    ]),
    ...await checkOtherRuntimes(),
    ...inspected,
  ];
}

async function checkEmbedded(
  installation: ContainerdInstallation | undefined,
  configPath: string | undefined,
): Promise<Check[]> {
  const embedded = await embeddedMirrorOf(installation, configPath ?? "");
  return embedded === undefined ? [] : [warning("embedded mirror", embedded.detail, embedded.fix)];
}
