import { setImmediate } from "node:timers";
import { Advertiser } from "../advertiser/advertiser.ts";
import { systemClock } from "../async/clock.ts";
import type { Config } from "../config/options.ts";
import { registryHost } from "../config/types.ts";
import { createTlsConnect } from "../mirror/http/connect_tls.ts";
import { createMirror } from "../mirror/mirror.ts";
import { ConnectionBudget } from "../net/connection_budget.ts";
import { RequestRing } from "../observability/debug/request_ring.ts";
import { Traffic } from "../observability/debug/traffic.ts";
import { createMetrics } from "../observability/metrics.ts";
import { createMetricsApp } from "../observability/metrics_app.ts";
import { createReferenceFilter } from "../oci/filter.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Elections } from "../ports/rollout.ts";
import { createRegistryApp } from "../registry/registry_app.ts";
import type { Bootstrapper } from "../router/bootstrap/bootstrapper.ts";
import { VERSION } from "../version.ts";
import { BasicAuth } from "./basic_auth.ts";
import type { Examine } from "../ports/check.ts";
import { createAccess } from "./access.ts";
import { createClusterKey, readClusterKeys } from "./cluster_key_file.ts";
import { createDebugPages } from "./debug_pages.ts";
import { createIntegrity } from "./integrity.ts";
import { createKubernetes } from "./kubernetes.ts";
import { createBootstrap } from "./trusted_addresses.ts";
import { PeerTls } from "./peer_tls.ts";
import { openStore } from "./open_store.ts";
import { Readiness } from "./readiness.ts";
import type { StopStack } from "./stop_stack.ts";
import { transferLimits } from "./transfer_limits.ts";

/** With a limited rate of downloads no blob is held back that takes longer than this, s. */
const MOST_HELD_BACK_S = 10;

/** What an agent is started with besides its configuration. */
export interface AgentOptions extends Cancellable {
  readonly log: Log;
  /** Registry port of the peer whose router has this port; default: the own registry's port. */
  readonly registryPortOf?: (routerPort: number) => number;
  /** Looks at the node for the debug pages. */
  readonly examine: Examine<Config>;
}

/**
 * Makes the parts of an agent and joins them; nothing listens yet.
 *
 * @throws {ConfigError} if the node does not fit the configuration.
 */
export async function createParts(
  config: Config,
  { log, signal, registryPortOf, examine }: AgentOptions,
  stack: StopStack,
) {
  const clock = systemClock;
  const { exposition, traffic, metrics } = count(config, () => advertiser.advertised());
  const opened = await openStore(config, { log, clock }, { signal });
  stack.push("store", opened.close);
  const { integrity, store, isDamaged } = createIntegrity(opened.store, {
    ...{ clock, log, metrics, stack, advertiser: () => advertiser },
  });
  const { access, isLocalClient, isPublic, watcher } = await createAccess(config, {
    ...{ ...opened, clock, metrics, stack, log: log.child({ part: "access" }) },
  });
  const filter = filterOf(config);
  const kubernetes = createKubernetes(config, { log: log.child({ part: "kubernetes" }), clock });
  const keys = await readClusterKeys(config);
  const connections = new ConnectionBudget(isLocalClient);
  const base = { ...opened, kubernetes: kubernetes.api, connections, keys, clock, log, metrics };
  const { bootstrapper, trustedAddresses } = createBootstrap(config, base);
  const zone = () => kubernetes.topology()?.zone;
  const router = await createAgentRouter(config, { ...base, bootstrapper, zone }, registryPortOf);
  const auth = await BasicAuth.open(config, { log, clock });
  const peerAuth = createClusterKey(keys, config, { router, clock, log, stack });
  const tls = await PeerTls.open(config, { clock, log: log.child({ part: "peer TLS" }) });
  const authorizations = auth.accepted;
  const { uploads, downloads, maxUploads } = transferLimits(config, clock);
  const kit = { router, log: log.child({ part: "mirror" }), metrics, clock };
  const rollout = joinRollout(config, router, opened.arrivals);
  const mirror = createMirror(
    {
      ...{ ...kit, ...rollout, authorizations, downloads, peerAuth, trustedAddresses },
      ...connectBy(tls, kit),
    },
    mirrorSettings(config),
  );
  stack.push("mirror", () => mirror.close());
  const requests = new RequestRing();
  const common = { store, mirror, integrity, requests, log, metrics, clock };
  const advertiser = new Advertiser({ ...common, watcher, router, filter, isDamaged });
  const readiness = new Readiness({ advertiser, router });
  const { conditions, ready } = readiness;
  const registry = createRegistryApp(
    {
      ...{ ...common, ...rollout, router: { ready }, uploads, peerAuth },
      ...{ isLocalClient, later: setImmediate, ...(access && { access }) },
    },
    { filter: advertiser.serves, authorizations, ...tls?.registryOptions, ...maxUploads },
  );
  const others = config.debugWebEnabled
    ? createDebugPages({
      ...{ ...common, config, router, mirror, advertiser, filter, traffic, conditions },
      topology: kubernetes.topology,
      privacy: isPublic && { isPublic, isLocalClient, authorizations },
      checks: (options) => examine(config, options),
    })
    : undefined;
  const metricsApp = createMetricsApp({ ...exposition, ready, ...(others && { others }) });
  return {
    ...{ router, registry, advertiser, auth, tls, kubernetes, metricsApp, readiness },
    /** Bounds what servers take. */
    connections,
    /** Directory for mirror configuration; undefined: none is to be written. */
    registryConfigPath: opened.registryConfigPath,
    /** Set if k3s or RKE2 run a mirror of their own: what the matter is and what to do. */
    embeddedMirror: opened.embeddedMirror,
  };
}

/** Nothing if this node goes upstream on its own whenever nobody has what it wants. */
function joinRollout(
  config: Config,
  { elections }: { readonly elections: Elections },
  arrivals: Arrivals | undefined,
) {
  return config.rollout && arrivals !== undefined ? { elections, arrivals } : {};
}

/** Metrics for Prometheus, and the sums that the debug pages show. */
function count(
  { spegelMetrics, rollout }: Config,
  advertised: () => ReturnType<Advertiser["advertised"]>,
) {
  const exposition = createMetrics({
    version: VERSION,
    rollout,
    ...(spegelMetrics ? { spegel: { advertised } } : {}),
  });
  const traffic = new Traffic();
  return { exposition, traffic, metrics: traffic.observe(exposition.metrics) };
}

function mirrorSettings(config: Config) {
  return {
    resolveTimeoutMs: config.mirrorResolveTimeout,
    resolveRetries: config.mirrorResolveRetries,
    verify: config.verifyPeerContent,
    // What takes longer than that to come is not held back for so long.
    verifyWholeBytes: Math.min(
      config.verifyWholeLimit,
      (config.downloadLimit ?? Infinity) * MOST_HELD_BACK_S,
    ),
    verifyWholeTotalBytes: config.verifyWholeMemory,
  };
}

function connectBy(tls: PeerTls | undefined, kit: Pick<Runtime, "clock" | "log">) {
  return tls && { connect: createTlsConnect(tls.trust, kit), connectsSecurely: true };
}

function filterOf(config: Config) {
  const mirroredRegistries = config.mirroredRegistries.map(registryHost);
  return createReferenceFilter({ ...config, mirroredRegistries });
}

async function createAgentRouter(
  config: Config,
  { keys, bootstrapper, connections, zone, clock, log, metrics, arrivals }: {
    readonly keys: readonly string[] | undefined;
    readonly bootstrapper: Bootstrapper;
    readonly connections: ConnectionBudget;
    readonly zone: () => string | undefined;
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
    readonly arrivals?: Arrivals | undefined;
  },
  registryPortOf: AgentOptions["registryPortOf"],
) {
  const { router: admission, routerConnections } = connections;
  // A module of its own in the bundle: the engine needs memory for as much as it parses at once.
  const { createRouter } = await import("../router/create_router.ts");
  return await createRouter({
    log: log.child({ part: "router" }),
    ...{ metrics, clock, bootstrapper, admission },
  }, {
    ...(routerConnections !== undefined && { maxConnections: Math.ceil(routerConnections / 2) }),
    listen: config.routerAddr,
    registryPort: registryPortOf ?? config.registryAddr.port,
    protocolPrefix: config.dhtPrefix,
    network: config.peerNetwork,
    rollout: config.rollout && arrivals !== undefined,
    zone,
    ...(config.dhtClosed && keys !== undefined && { secrets: keys }),
    ...(config.dataDir === undefined ? {} : { dataDir: config.dataDir }),
  });
}
