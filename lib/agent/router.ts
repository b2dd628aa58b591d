import type { Config } from "../config/options.ts";
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

/** What of the router's options is not in the configuration as it stands. */
export interface AgentRouterOptions {
  /** Keys of the cluster; undefined: there are none. */
  readonly keys: readonly string[] | undefined;
  readonly rollout: boolean;
  readonly zone: () => string | undefined;
  readonly registryPort: RouterOptions["registryPort"];
}

/** Creates the router with the options that the configuration has for it. Nothing listens yet. */
export async function createAgentRouter(
  config: Config,
  { bootstrapper, connections, clock, log, metrics }: AgentRouterCollaborators,
  { keys, rollout, zone, registryPort }: AgentRouterOptions,
): Promise<Libp2pRouter> {
  const { router: admission, routerConnections } = connections;
  // A module of its own in the bundle: the engine needs memory for as much as it parses at once.
  const { createRouter } = await import("../router/create_router.ts");
  return await createRouter({ bootstrapper, admission, clock, log, metrics }, {
    listen: config.routerAddr,
    registryPort,
    protocolPrefix: config.dhtPrefix,
    network: config.peerNetwork,
    maxConnections: routerConnections && Math.ceil(routerConnections / 2),
    secrets: config.dhtClosed ? keys : undefined,
    dataDir: config.dataDir,
    rollout,
    zone,
  });
}
