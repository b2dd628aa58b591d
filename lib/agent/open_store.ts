import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Leases } from "../ports/leases.ts";
import type { Log } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import type { Watcher } from "../ports/watcher.ts";
import { ContainerdClient } from "../store/containerd/client.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import { ContainerdIngests } from "../store/containerd/ingests.ts";
import { ContainerdStore } from "../store/containerd/containerd_store.ts";
import { ContainerdContent } from "../store/containerd/content.ts";
import { ContainerdLeases } from "../store/containerd/containerd_leases.ts";
import { ContainerdWatcher } from "../store/containerd/containerd_watcher.ts";
import { detectContainerd } from "../store/containerd/detect_containerd.ts";
import { methods } from "../store/containerd/methods.ts";
import { type ContainerdProbe, probeContainerd } from "../store/containerd/probe_containerd.ts";
import { OciLayoutStore } from "../store/oci_layout/oci_layout_store.ts";
import { embeddedMirrorOf } from "./embedded_mirror.ts";
import { checkContainerd, doubtOfMirror, needsLease } from "./preflight.ts";
import { DEFAULT_REGISTRY_CONFIG_PATH } from "./registry_config_path.ts";

/** An open store, and what else depends on its kind. */
export interface OpenStore {
  readonly store: Store;
  readonly watcher: Watcher;
  /** Content that the runtime is fetching; undefined if the store does not show it. */
  readonly arrivals?: Arrivals | undefined;
  /** Keeps layers that the runtime discards; undefined: it discards none. */
  readonly leases?: Leases | undefined;
  /** Directory that has the content; undefined if it cannot be read. */
  readonly contentPath?: string | undefined;
  /** Directory for mirror configuration; undefined: none is written. */
  readonly registryConfigPath: string | undefined;
  /** Set if it is open whether containerd uses the mirror configuration. */
  readonly doubt?: MirrorDoubt | undefined;
  /** Problem and remedy, if k3s or RKE2 run an embedded mirror. */
  readonly embeddedMirror?: string | undefined;
  readonly close: () => void;
}

/** What leaves open whether containerd uses the mirror configuration, and how to try it. */
export interface MirrorDoubt {
  /** Finding and remedy. */
  readonly doubt: string;
  /** Has containerd pull an image, as kubelet does. */
  readonly pull: (reference: string, options: Cancellable) => Promise<unknown>;
}

const LAYOUT_PREFIX = "oci-layout:";
/** The namespace of an OCI layout whose writer names ingests as containerd does. */
export const LAYOUT_NAMESPACE = "oci-layout";

/**
 * Opens the configured store, and checks that it is usable.
 *
 * @throws {ConfigError} with the problem and the remedy.
 */
export async function openStore(
  config: Config,
  collaborators: Pick<Runtime, "clock" | "log">,
  options: Cancellable,
): Promise<OpenStore> {
  const { store = "containerd" } = config;
  if (store.startsWith(LAYOUT_PREFIX)) return await openLayout(store, config, collaborators);
  if (store === "containerd") return await openContainerd(config, collaborators, options);
  throw new ConfigError(
    `--store: got ${JSON.stringify(store)}, want containerd or ${LAYOUT_PREFIX}PATH`,
  );
}

async function openLayout(
  text: string,
  config: Config,
  collaborators: Pick<Runtime, "clock" | "log">,
): Promise<OpenStore> {
  const path = text.slice(LAYOUT_PREFIX.length);
  const isDirectory = await Deno.stat(path).then((info) => info.isDirectory, () => false);
  if (!isDirectory) {
    throw new ConfigError(`--store: got ${JSON.stringify(text)}, want an existing directory`);
  }
  const store = new OciLayoutStore(path, collaborators);
  // The layout's writer may expose arriving content as containerd does.
  const showsArrivals = await Deno.stat(`${path}/ingest`).then(() => true, () => false);
  const place = { contentPath: path, namespace: LAYOUT_NAMESPACE };
  return {
    store,
    watcher: store,
    arrivals: showsArrivals ? new ContainerdIngests(collaborators, place) : undefined,
    registryConfigPath: config.containerdRegistryConfigPath || undefined,
    close: () => {},
  };
}

/**
 * The socket to use, with its installation if that is known.
 *
 * @throws {ConfigError} if no socket is given or found.
 */
async function findContainerd({ containerdSock }: Config) {
  const found = await detectContainerd();
  const socketPath = containerdSock ?? found?.socketPath;
  if (socketPath === undefined) {
    throw new ConfigError(
      "--containerd-sock: not set, and no containerd was found where a known distribution has it; " +
        "want the path of containerd's socket",
    );
  }
  // The paths of an installation belong to its socket; another containerd has others.
  return { socketPath, installation: found?.socketPath === socketPath ? found : undefined };
}

/**
 * Checks containerd and logs remarks.
 *
 * @returns what is open and has to be tried, which is no remark.
 * @throws {ConfigError} with the problem and the remedy.
 */
function check(
  probe: ContainerdProbe,
  { config, registryConfigPath, log }: {
    readonly config: Config;
    readonly registryConfigPath: string;
    readonly log: Log;
  },
): string | undefined {
  const settings = {
    registryConfigPath: registryConfigPath || undefined,
    contentPathGiven: config.containerdContentPath !== undefined,
    keepLayers: config.keepLayers,
  };
  const doubt = config.requireMirrorUse ? doubtOfMirror(probe, settings) : undefined;
  const localImagePull = doubt === undefined ? undefined : true;
  for (const remark of checkContainerd(probe, { ...settings, localImagePull })) log.warn(remark);
  return doubt;
}

async function openContainerd(
  config: Config,
  { log, clock }: Pick<Runtime, "clock" | "log">,
  options: Cancellable,
): Promise<OpenStore> {
  const { socketPath, installation } = await findContainerd(config);
  const registryConfigPath = config.containerdRegistryConfigPath ??
    installation?.registryConfigPath ?? DEFAULT_REGISTRY_CONFIG_PATH;
  const client = new ContainerdClient(socketPath, { namespace: config.containerdNamespace });
  try {
    const contentPath = config.containerdContentPath;
    const probe = await probeContainerd(client, {
      signal: options.signal,
      contentPath,
    });
    if (!probe.reachable) {
      throw new ConfigError(
        `--containerd-sock: got ${JSON.stringify(socketPath)}, want the socket of a running ` +
          `containerd that Eddy may use (${probe.error})`,
      );
    }
    const doubt = check(probe, { config, registryConfigPath, log });
    const readable = probe.content.state === "readable" ? probe.content.path : undefined;
    log.info("containerd is ready", {
      version: probe.version,
      socket: socketPath,
      content: readable ?? "through the socket",
      distribution: installation?.distribution.name ?? "not known",
      hosts: registryConfigPath,
    });
    const embedded = await embeddedMirrorOf(installation, registryConfigPath);
    const embeddedMirror = embedded && `${embedded.detail}: ${embedded.fix}`;
    if (embeddedMirror !== undefined) log.warn(embeddedMirror);
    const content = new ContainerdContent(client, { contentPath: readable });
    return {
      store: new ContainerdStore({ client, content, clock }),
      watcher: new ContainerdWatcher({ client, content, clock, log }),
      leases: openLeases(probe, client, config),
      contentPath: readable,
      arrivals: readable === undefined ? undefined : new ContainerdIngests({ clock, log }, {
        contentPath: readable,
        namespace: config.containerdNamespace,
      }),
      registryConfigPath: registryConfigPath || undefined,
      doubt: doubt === undefined ? undefined : {
        doubt,
        pull: (image, limit) => client.call(methods.pullImage, { image: { image } }, limit),
      },
      embeddedMirror,
      close: () => client.close(),
    };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Undefined where no lease is needed. */
function openLeases(
  { cri }: ContainerdProbe,
  client: ContainerdClient,
  { keepLayers, keepLayersLease }: Config,
): Leases | undefined {
  if (!needsLease(cri?.discardUnpackedLayers, keepLayers)) return undefined;
  return new ContainerdLeases(client, { lifetimeMs: keepLayersLease });
}
