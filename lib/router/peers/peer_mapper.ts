import type { PeerInfo } from "@libp2p/interface";
import type { Peer } from "../../ports/router.ts";
import { type IpPort, isUsableIp, toIpPort } from "../libp2p/address.ts";

/** Maximum addresses of one peer; more is considered an attack. */
const MAX_ADDRESSES = 16;

export interface PeerMapperOptions {
  readonly allowLoopback: boolean;
  /** Port of every peer's registry, or a function of the port of the peer's router. */
  readonly registryPort: number | ((routerPort: number) => number);
  /** This node's listening addresses: a peer that claims one of them is not reachable there. */
  readonly own: () => readonly IpPort[];
}

/** A peer, and the addresses of its router. */
export interface MappedPeer {
  readonly peer: Peer;
  /** At least one. */
  readonly endpoints: readonly IpPort[];
}

/** Converts the DHT's peer to the port's; undefined if no address is usable. */
export type PeerMapper = (info: PeerInfo) => MappedPeer | undefined;

/**
 * Makes a {@link PeerMapper}. Unusable addresses are skipped, among them this node's own (bridges
 * such as docker0 have the same address on every node).
 */
export function createPeerMapper(options: PeerMapperOptions): PeerMapper {
  const { registryPort } = options;
  return (info) => {
    const own = new Set(options.own().map(({ ip, port }) => `${ip} ${port}`));
    const endpoints: IpPort[] = [];
    const seen = new Set<string>();
    for (const address of info.multiaddrs.slice(0, MAX_ADDRESSES)) {
      const endpoint = toIpPort(address);
      if (endpoint === undefined || !isUsableIp(endpoint.ip, options)) continue;
      if (seen.has(endpoint.ip) || own.has(`${endpoint.ip} ${endpoint.port}`)) continue;
      seen.add(endpoint.ip);
      endpoints.push(endpoint);
    }
    const [first] = endpoints;
    if (first === undefined) return undefined;
    const port = typeof registryPort === "number" ? registryPort : registryPort(first.port);
    const peer = {
      id: info.id.toString(),
      addresses: endpoints.map(({ ip }) => ip),
      registryPort: port,
    };
    return { peer, endpoints };
  };
}
