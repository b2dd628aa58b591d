import { setImmediate } from "node:timers";
import { TagResolver } from "../access/tags/tag_resolver.ts";
import { Advertiser, type AdvertiserCollaborators } from "../advertiser/advertiser.ts";
import { systemClock } from "../async/clock.ts";
import { RateLimiter } from "../async/rate_limiter.ts";
import type { Config } from "../config/options.ts";
import { registryHost } from "../config/types.ts";
import { ConnectionBudget } from "../net/connection_budget.ts";
import { isWildcardRegistry } from "../oci/filter.ts";
import { RequestRing } from "../observability/debug/request_ring.ts";
import { Traffic } from "../observability/debug/traffic.ts";
import { createMetrics } from "../observability/metrics.ts";
import { createMetricsApp } from "../observability/metrics_app.ts";
import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Examine } from "../ports/check.ts";
import type { Log } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import {
  createRegistryApp,
  type RegistryApp,
  type RegistryCollaborators,
} from "../registry/registry_app.ts";
import type { RouterOptions } from "../router/options.ts";
import { ImageCatalog } from "../store/image_catalog.ts";
import { Inspector } from "../store/integrity/inspector.ts";
import { SoundStore } from "../store/integrity/sound_store.ts";
import { VERSION } from "../version.ts";
import { createAccess } from "./access.ts";
import { BasicAuth } from "./basic_auth.ts";
import { createBootstrap } from "./bootstrap.ts";
import { createClusterKey, readClusterKeys } from "./cluster_key_file.ts";
import { createDebugPages } from "./debug_pages.ts";
import { composeLayers } from "./layers.ts";
import { createKubernetes, type Kubernetes } from "./kubernetes.ts";
import { createAgentMirror } from "./mirror.ts";
import { mirrorTargetsOf } from "./mirror_configuration.ts";
import { MirrorUse } from "./mirror_use.ts";
import { type OpenStore, openStore } from "./open_store.ts";
import { PeerTls } from "./peer_tls.ts";
import { Readiness } from "./readiness.ts";
import { referenceFilterOf } from "./reference_filter.ts";
import { createAgentRouter } from "./router.ts";
import type { StopStack } from "./stop_stack.ts";

/** Options of an agent besides its configuration. */
export interface AgentOptions extends Cancellable {
  readonly log: Log;
  /** Registry port of the peer with this router port; default: this node's registry port. */
  readonly registryPortOf?: (routerPort: number) => number;
  /** Runs the doctor's checks for the debug pages. */
  readonly examine: Examine<Config>;
}

/** The parts of an agent, which `startAgent` starts. */
export type AgentParts = Awaited<ReturnType<typeof compose>>;

/**
 * Creates the parts of an agent, one concern after the other. Nothing listens yet.
 *
 * @param stack receives a stop function for each open part, even if this throws.
 * @throws {ConfigError} if the node does not fit the configuration.
 */
export async function compose(config: Config, options: AgentOptions, stack: StopStack) {
  const filter = await referenceFilterOf(config);
  const opened = await composeStore(config, options, stack);
  const { runtime, exposition, traffic } = composeMetrics(config, options.log, opened);
  const { integrity, store } = composeIntegrity(opened.store, runtime, stack);
  const access = await composeAccess(config, { opened, runtime, store, stack });
  const { isLocalClient, isPublic, watcher, layers, unaskedRegistries } = access;
  const connections = new ConnectionBudget(isLocalClient);
  const kubernetes = createKubernetes(config, forPart(runtime, "kubernetes"));

  const auth = await BasicAuth.open(config, runtime);
  const { tls, router, peerAuth, mirror } = await composePeers(config, runtime, {
    registryPort: options.registryPortOf ?? config.registryAddr.port,
    rollout: opened.rollout,
    auth,
    connections,
    kubernetes,
    stack,
  });
  access.strangers.attach(router);
  const advertiser = composeAdvertiser(runtime, { watcher, store, integrity, router, filter });
  exposition.observe(advertiser);
  const readiness = new Readiness({ advertiser, router, mirrorUse: opened.mirrorUse });
  const serving = { ...runtime, store, mirror, integrity, layers, requests: new RequestRing() };
  const registry = composeRegistry(
    config,
    { ...serving, ...access, ...opened.found, elections: router.elections, peerAuth },
    { nodeId: router.id, advertiser, auth, tls, readiness },
  );

  const pages = config.debugWebEnabled
    ? createDebugPages({
      ...serving,
      config,
      router,
      advertiser,
      filter,
      traffic,
      unaskedRegistries,
      topology: kubernetes.topology,
      conditions: readiness.conditions,
      privacy: isPublic && { isPublic, isLocalClient, authorizations: auth.accepted },
      checks: (limits) => options.examine(config, limits),
    })
    : undefined;
  const metricsApp = createMetricsApp({ ...exposition, ready: readiness.ready, others: pages });
  return {
    runtime,
    opened,
    connections,
    kubernetes,
    auth,
    tls,
    router,
    advertiser,
    registry,
    readiness,
    metricsApp,
  };
}

/** Opens the store. Rollouts are coordinated only if it can serve content that is arriving. */
async function composeStore(config: Config, options: AgentOptions, stack: StopStack) {
  const runtime = { clock: systemClock, log: options.log };
  const opened = await openStore(config, runtime, options);
  stack.push("store", opened.close);
  const arrivals = config.rollout ? opened.arrivals : undefined;
  const catalog = new ImageCatalog();
  const watcher = catalog.follow(opened.watcher);
  const mirrorUse = composeMirrorUse(config, opened, runtime);
  const found = { catalog, arrivals };
  return { ...opened, watcher, mirrorUse, found, rollout: arrivals !== undefined };
}

/** Creates the metrics, for Prometheus and, in totals, for the debug pages. */
function composeMetrics(
  { spegelMetrics: spegel }: Config,
  log: Log,
  { rollout, leases }: Pick<OpenStore, "leases"> & { readonly rollout: boolean },
) {
  const layers = leases !== undefined;
  const exposition = createMetrics({ version: VERSION, rollout, layers, spegel });
  const traffic = new Traffic();
  const metrics = traffic.observe(exposition.metrics);
  const runtime: Runtime = { clock: systemClock, log, metrics };
  return { runtime, exposition, traffic };
}

/** The runtime of one part: its log lines name the part. */
function forPart(runtime: Runtime, part: string): Runtime {
  return { ...runtime, log: runtime.log.child({ part }) };
}

/** Hides damaged content from everything that reads the store. */
function composeIntegrity(whole: Store, runtime: Runtime, stack: StopStack) {
  const integrity = new Inspector({ ...forPart(runtime, "integrity"), store: whole });
  stack.push("integrity", () => integrity.close());
  return { integrity, store: new SoundStore(whole, integrity) };
}

/** What follows the store: access control, and what keeps layers. */
async function composeAccess(
  config: Config,
  { opened, runtime, store, stack }: {
    readonly opened: OpenStore;
    readonly runtime: Runtime;
    readonly store: Store;
    readonly stack: StopStack;
  },
) {
  const access = await createAccess(config, { ...opened, ...forPart(runtime, "access"), stack });
  const layers = composeLayers(config, opened, { ...forPart(runtime, "layers"), store, stack });
  return { ...access, layers, watcher: layers?.follow(access.watcher) ?? access.watcher };
}

/** What {@link composePeers} works with. */
interface PeersCollaborators {
  readonly registryPort: RouterOptions["registryPort"];
  readonly rollout: boolean;
  readonly auth: BasicAuth;
  readonly connections: ConnectionBudget;
  readonly kubernetes: Kubernetes;
  readonly stack: StopStack;
}

/** Finds peers, authenticates to them, and fetches content from them. */
async function composePeers(
  config: Config,
  runtime: Runtime,
  { registryPort, rollout, auth, connections, kubernetes, stack }: PeersCollaborators,
) {
  const keys = await readClusterKeys(config);
  const tls = await PeerTls.open(config, forPart(runtime, "peer TLS"));
  const { bootstrapper, trustedAddresses } = createBootstrap(config, {
    ...runtime,
    keys,
    connections,
    kubernetes: kubernetes.api,
  });
  const router = await createAgentRouter(
    config,
    { ...forPart(runtime, "router"), bootstrapper, connections },
    { registryPort, keys, rollout, zone: () => kubernetes.topology()?.zone },
  );
  const peerAuth = createClusterKey(keys, config, { ...runtime, router, stack });
  const mirror = createAgentMirror(config, {
    ...forPart(runtime, "mirror"),
    router,
    elections: router.elections,
    authorizations: auth.accepted,
    peerAuth,
    tls,
    trustedAddresses,
  });
  stack.push("mirror", () => mirror.close());
  return { tls, router, peerAuth, mirror };
}

/** Advertises the content of the store, except damaged content. */
function composeAdvertiser(
  runtime: Runtime,
  { integrity, ...collaborators }:
    & Pick<AdvertiserCollaborators, "watcher" | "store" | "router" | "filter">
    & { readonly integrity: Inspector },
): Advertiser {
  const isDamaged = (digest: Digest) => integrity.isDamaged(digest);
  const advertiser = new Advertiser({ ...runtime, ...collaborators, isDamaged });
  integrity.attach(advertiser);
  return advertiser;
}

/** Finds out whether containerd asks this agent, where that is open. */
function composeMirrorUse(
  config: Config,
  { doubt }: OpenStore,
  runtime: Pick<Runtime, "clock" | "log">,
): MirrorUse | undefined {
  if (doubt === undefined) return undefined;
  const named = config.mirroredRegistries.map(registryHost);
  const isDefault = named.some(isWildcardRegistry);
  return new MirrorUse({ ...runtime, pull: doubt.pull }, {
    doubt: doubt.doubt,
    targets: mirrorTargetsOf(config),
    registry: isDefault ? undefined : named[0],
  });
}

/** Serves pulls of this node and of its peers. */
function composeRegistry(
  { uploadLimit, maxUploads }: Config,
  collaborators: Omit<RegistryCollaborators, "tags" | "router">,
  { nodeId, advertiser, auth, tls, readiness }: {
    readonly nodeId: string;
    readonly advertiser: Advertiser;
    readonly readiness: Readiness;
    readonly auth: BasicAuth;
    readonly tls: PeerTls | undefined;
  },
): RegistryApp {
  const { clock } = collaborators;
  const uploads = uploadLimit === undefined ? undefined : new RateLimiter(clock, uploadLimit);
  const tags = new TagResolver(collaborators);
  const answering = { ...collaborators, tags, uploads, router: readiness, later: setImmediate };
  return createRegistryApp(answering, {
    nodeId,
    filter: advertiser.serves,
    authorizations: auth.accepted,
    securePeers: tls?.required,
    maxUploads,
  });
}
