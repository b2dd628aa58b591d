import type { PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { encodePeer } from "./dht_message.ts";

/** A peer that holds content, with the addresses that it announced itself. */
export class Provider {
  readonly id: PeerId;
  readonly multiaddrs: Multiaddr[];
  /** Its encoded form in answers. */
  readonly wire: Uint8Array;

  constructor(id: PeerId, multiaddrs: readonly Multiaddr[]) {
    this.id = id;
    this.multiaddrs = [...multiaddrs];
    this.wire = encodePeer({
      id: id.toMultihash().bytes,
      addresses: multiaddrs.map(({ bytes }) => bytes),
    });
  }

  /** The peer id. */
  toString(): string {
    return this.id.toString();
  }
}
