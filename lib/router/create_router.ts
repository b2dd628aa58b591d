import type { Admission } from "../net/admission.ts";
import { ConnectionBudget } from "../net/connection_budget.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Bootstrapper } from "./bootstrap/bootstrapper.ts";
import { LastPeers } from "./bootstrap/last_peers.ts";
import { createHost } from "./libp2p/host.ts";
import { loadIdentity } from "./libp2p/identity.ts";
import { Libp2pRouter } from "./libp2p_router.ts";
import { resolveRouterOptions, type RouterOptions } from "./options.ts";

export interface RouterCollaborators extends Runtime {
  /** Source of bootstrap peers; started and stopped with the router. */
  readonly bootstrapper: Bootstrapper;
  /** Admits connections of other nodes; default: limits of the router's own. */
  readonly admission?: Admission | undefined;
}

/**
 * Makes the router: reads or creates the identity and builds the libp2p node. Nothing listens until
 * it is started.
 *
 * @throws {RangeError} for an option that is out of range.
 * @throws {Error} if the identity file cannot be used.
 */
export async function createRouter(
  collaborators: RouterCollaborators,
  options: RouterOptions,
): Promise<Libp2pRouter> {
  const resolved = resolveRouterOptions(options);
  const { dataDir, bootstrapSource } = resolved;
  const identity = await loadIdentity(dataDir);
  const lastPeers = await LastPeers.load(collaborators, { dataDir, source: bootstrapSource });
  const { clock, log, admission = new ConnectionBudget().router } = collaborators;
  const host = await createHost(identity, { admission, clock, log }, resolved);
  return new Libp2pRouter({ ...collaborators, host, lastPeers }, resolved);
}
