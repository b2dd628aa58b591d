import type { BootstrapPeer, Bootstrapper } from "./bootstrapper.ts";
import { type NamedPeer, parsePeer } from "./parse_peer.ts";
import { rememberHosts } from "./remember_hosts.ts";
import { type ResolveHost, resolveHost } from "./resolve_host.ts";

/** Settings of {@link createStaticBootstrapper}. */
export interface StaticBootstrapperOptions {
  /** Peers as {@link parsePeer} reads them; may be empty: the node is then alone. */
  readonly peers: readonly string[];
}

/**
 * Begins with the peers of a list. Names in it are resolved anew each time; one that cannot be
 * resolved is taken for what it was last, or left out as long as another can.
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

/** With an id, all addresses are one peer's; without, each may be another one's. */
function toPeers({ id, port }: NamedPeer, ips: readonly string[]): BootstrapPeer[] {
  const addresses = ips.map((ip) => port === undefined ? { ip } : { ip, port });
  if (id !== undefined) return [{ id, addresses }];
  return addresses.map((address) => ({ addresses: [address] }));
}
