import { isIP } from "node:net";
import type { Cancellable } from "../ports/cancellable.ts";
import type { EndpointSlice, KubernetesApi } from "./api.ts";

/**
 * A slice has 100 endpoints by default, 1000 at most. A large cluster's list is not read to the end
 * if a few peers suffice to bootstrap: the DHT knows the rest.
 */
const SLICES_PER_PAGE = 5;
const ENOUGH_PEERS = 64;
const MAX_PAGES = 8;
/** Page size for the whole list. */
const SLICES_PER_LARGE_PAGE = 50;
/** Name of the router's port in the service. */
const ROUTER_PORT = "router";

export interface EndpointSliceBootstrapperOptions {
  /** Namespace of the service; undefined: that of the pod or of the kubeconfig's context. */
  readonly namespace?: string | undefined;
  /** Name of the headless service that selects the agents. */
  readonly service: string;
  /** Reads the whole list instead of as much as suffices to bootstrap; default false. */
  readonly whole?: boolean;
}

/** A bootstrap peer, in the form that the router takes. */
export interface EndpointPeer {
  readonly addresses: readonly { readonly ip: string; readonly port?: number }[];
}

/**
 * Bootstraps from the endpoints of a headless service, ready or not, as listed by the API server.
 * The port is the service's port `router` if it has one, else this node's own router port.
 */
export function createEndpointSliceBootstrapper(
  { api }: { readonly api: KubernetesApi },
  { namespace, service, whole = false }: EndpointSliceBootstrapperOptions,
): { get(options: Cancellable): Promise<EndpointPeer[]> } {
  return {
    async get(options) {
      const slices: EndpointSlice[] = [];
      let continueAt: string | undefined;
      const limit = whole ? SLICES_PER_LARGE_PAGE : SLICES_PER_PAGE;
      const enough = whole ? Infinity : ENOUGH_PEERS;
      for (let page = 0; page < MAX_PAGES; page++) {
        const query = { namespace, service, limit };
        const answer = await api.listEndpointSlices(
          continueAt === undefined ? query : { ...query, continueAt },
          options,
        );
        slices.push(...answer.slices);
        continueAt = answer.continueAt;
        if (continueAt === undefined || toPeers(slices).length >= enough) break;
      }
      return toPeers(slices);
    },
  };
}

/** One peer per pod, with the addresses of all its families. */
function toPeers(slices: readonly EndpointSlice[]): EndpointPeer[] {
  const peers = new Map<string, { ip: string; port?: number }[]>();
  for (const { ports, endpoints } of slices) {
    const port = ports.find(({ name }) => name === ROUTER_PORT)?.port;
    for (const { uid, addresses, terminating } of endpoints) {
      // Kubernetes uses the first address only.
      const ip = addresses[0];
      if (terminating || ip === undefined || isIP(ip) === 0) continue;
      const key = uid ?? ip;
      const known = peers.get(key) ?? [];
      known.push(port === undefined ? { ip } : { ip, port });
      peers.set(key, known);
    }
  }
  return [...peers.values()].map((addresses) => ({ addresses }));
}
