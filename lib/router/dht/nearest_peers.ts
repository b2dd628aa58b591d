import type { PeerId } from "@libp2p/interface";

/** A peer and its position in the key space. */
export interface Positioned {
  readonly peer: PeerId;
  /** Its Kademlia id; compared by its first four bytes, which distinguish any two nodes. */
  readonly position: Uint8Array;
}

/** A peer of the routing table. */
export interface RoutingPeer extends Positioned {
  /** Its encoded form in answers; undefined while no address is known. */
  readonly wire: Uint8Array | undefined;
}

/** The routing table as seen by the DHT. */
export interface Nearby {
  /** The peers nearest to a position in the key space, nearest first. */
  nearest(position: Uint8Array, count: number): readonly RoutingPeer[];
}

/** Peers sorted by position, to find those nearest to a key by XOR without a scan. Immutable. */
export class NearestPeers<T extends Positioned> {
  readonly #peers: readonly T[];
  readonly #positions: Uint32Array;

  constructor(peers: Iterable<T>) {
    const sorted = [...peers].map((peer) => ({ peer, at: prefix(peer.position) }))
      .sort((a, b) => a.at - b.at);
    this.#peers = sorted.map(({ peer }) => peer);
    this.#positions = Uint32Array.from(sorted, ({ at }) => at);
  }

  /** The peers nearest to a position, nearest first. */
  to(position: Uint8Array, count: number): T[] {
    const found: T[] = [];
    this.#collect(prefix(position), 0, this.#peers.length, 31, count, found);
    return found;
  }

  /** Visits first the half that shares the next bit with the key: all of it is nearer. */
  #collect(key: number, from: number, to: number, bit: number, count: number, found: T[]): void {
    if (from >= to || found.length >= count) return;
    if (bit < 0 || to - from === 1) {
      for (let i = from; i < to && found.length < count; i++) {
        const peer = this.#peers[i];
        if (peer !== undefined) found.push(peer);
      }
      return;
    }
    const split = this.#firstWithBit(bit, from, to);
    const [near, far] = (key >>> bit & 1) === 1
      ? [[split, to], [from, split]] as const
      : [[from, split], [split, to]] as const;
    this.#collect(key, near[0], near[1], bit - 1, count, found);
    this.#collect(key, far[0], far[1], bit - 1, count, found);
  }

  /** Within a range whose peers agree on all higher bits: the first peer whose bit is one. */
  #firstWithBit(bit: number, from: number, to: number): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.#positions[middle] ?? 0) >>> bit & 1) === 1) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The first four bytes as a number. */
function prefix(position: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = position;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
