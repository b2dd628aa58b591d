import type { PeerInfo } from "@libp2p/interface";
import { peerIdFromMultihash } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { LRUCache } from "lru-cache";
import * as Multihash from "multiformats/hashes/digest";
import { multihashId } from "./dht_key.ts";
import { decodePeer } from "./dht_message.ts";

/** Cached peers: the same ones are named again and again. */
const MAX_REMEMBERED = 4096;

/**
 * Makes a cached decoder of the peers in answers. Malformed addresses are skipped; without an id or
 * an address the result is undefined.
 */
export function createPeerDecoder(): (wire: Uint8Array) => PeerInfo | undefined {
  const remembered = new LRUCache<string, PeerInfo>({ max: MAX_REMEMBERED });
  return (wire) => {
    const name = multihashId(wire);
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const info = read(wire);
    if (info !== undefined) remembered.set(name, info);
    return info;
  };
}

function read(wire: Uint8Array): PeerInfo | undefined {
  try {
    const { id, addresses } = decodePeer(wire.slice());
    const multiaddrs = addresses.flatMap((bytes) => {
      try {
        return [multiaddr(bytes)];
      } catch {
        return [];
      }
    });
    if (multiaddrs.length === 0) return undefined;
    return { id: peerIdFromMultihash(Multihash.decode(id)), multiaddrs };
  } catch {
    return undefined;
  }
}
