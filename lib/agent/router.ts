import type { Config } from "../config/options.ts";
import { digestOf } from "../oci/digest.ts";
import type { ConnectionBudget } from "../net/connection_budget.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Bootstrapper } from "../router/bootstrap/bootstrapper.ts";
import type { Libp2pRouter } from "../router/libp2p_router.ts";
import type { RouterOptions } from "../router/options.ts";

/** What {@link createAgentRouter} works with. */
export interface AgentRouterCollaborators extends Runtime {
  readonly bootstrapper: Bootstrapper;
  /** Bounds the connections of other nodes. */
  readonly connections: ConnectionBudget;
}

/** Router options that are derived rather than configured. */
export interface AgentRouterOptions {
  /** Cluster keys; undefined if there are none. */
  readonly keys: readonly string[] | undefined;
  readonly rollout: boolean;
  readonly zone: () => string | undefined;
  readonly registryPort: RouterOptions["registryPort"];
}

/** Creates the router from the configuration. Nothing listens yet. */
export async function createAgentRouter(
  config: Config,
  { bootstrapper, connections, clock, log, metrics }: AgentRouterCollaborators,
  { keys, rollout, zone, registryPort }: AgentRouterOptions,
): Promise<Libp2pRouter> {
  const { router: admission, routerConnections } = connections;
  // A separate module in the bundle: the engine's memory grows with the largest module it parses.
  const { createRouter } = await import("../router/create_router.ts");
  return await createRouter({ bootstrapper, admission, clock, log, metrics }, {
    listen: config.routerAddr,
    registryPort,
    protocolPrefix: config.dhtPrefix,
    network: config.peerNetwork,
    maxConnections: routerConnections && Math.ceil(routerConnections / 2),
    secrets: config.dhtClosed ? keys : undefined,
    dataDir: config.dataDir,
    bootstrapSource: bootstrapSourceOf(config),
    readyTimeoutMs: config.readyTimeout,
    rollout,
    zone,
  });
}

/**
 * Names the configured source of bootstrap peers; undefined: last known peers are of no use. A node
 * without a source stays alone, and multicast is never out of date.
 */
function bootstrapSourceOf(config: Config): string | undefined {
  const { bootstrapKind } = config;
  if (bootstrapKind === undefined || bootstrapKind === "mdns") return undefined;
  const { dhtPrefix, dnsBootstrapDomain, staticBootstrapPeers, httpBootstrapUrl } = config;
  const { kubernetesBootstrapNamespace, kubernetesBootstrapService } = config;
  // A digest, since URLs may have credentials.
  return digestOf(JSON.stringify([
    ...[bootstrapKind, dhtPrefix, dnsBootstrapDomain, staticBootstrapPeers, httpBootstrapUrl],
    ...[kubernetesBootstrapNamespace, kubernetesBootstrapService],
  ]));
}
