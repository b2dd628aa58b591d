import type { BootstrapPeer, Bootstrapper } from "./bootstrapper.ts";
import { type NamedPeer, parsePeer } from "./parse_peer.ts";
import { rememberHosts } from "./remember_hosts.ts";
import { type ResolveHost, resolveHost } from "./resolve_host.ts";

export interface StaticBootstrapperOptions {
  /** Peers in the form of {@link parsePeer}; may be empty for a lone node. */
  readonly peers: readonly string[];
}

/**
 * Bootstraps from a list of peers. Names are resolved for each round; one that no longer resolves
 * keeps its last addresses, or is skipped while another resolves.
 *
 * @throws {TypeError} if a peer is malformed.
 */
export function createStaticBootstrapper(
  options: StaticBootstrapperOptions,
  collaborators: { readonly resolve?: ResolveHost } = {},
): Bootstrapper {
  const resolve = rememberHosts(collaborators.resolve ?? resolveHost);
  const named = options.peers.map(parsePeer);
  return {
    async get({ signal }) {
      const results = await Promise.allSettled(named.map(async (peer) => {
        const ips = await resolve(peer.host, { signal });
        return toPeers(peer, ips);
      }));
      signal.throwIfAborted();
      const found = results.flatMap((result) => result.status === "fulfilled" ? result.value : []);
      const failed = results.find((result) => result.status === "rejected");
      if (found.length === 0 && failed !== undefined) throw failed.reason;
      return found;
    },
  };
}

/** With an id, all addresses belong to one peer; without, each may belong to another. */
function toPeers({ id, port }: NamedPeer, ips: readonly string[]): BootstrapPeer[] {
  const addresses = ips.map((ip) => port === undefined ? { ip } : { ip, port });
  if (id !== undefined) return [{ id, addresses }];
  return addresses.map((address) => ({ addresses: [address] }));
}
