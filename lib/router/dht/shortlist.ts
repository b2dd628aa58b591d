import type { PeerInfo } from "@libp2p/interface";
import { kademliaId } from "./dht_key.ts";

type State = "known" | "asked" | "answered" | "failed";

interface Candidate {
  readonly peer: PeerInfo;
  readonly distance: Uint8Array;
  state: State;
}

/** The nearest peers known to a lookup, with the state of each query. */
export class Shortlist {
  readonly #position: Uint8Array;
  readonly #width: number;
  /** Nearest first. */
  readonly #candidates: Candidate[] = [];
  readonly #byName = new Map<string, Candidate>();
  #pending = 0;
  #changed = Promise.withResolvers<void>();

  /** @param width the lookup ends when this many of the nearest live peers have answered. */
  constructor(position: Uint8Array, width: number) {
    this.#position = position;
    this.#width = width;
  }

  /** Number of unanswered queries. */
  get pending(): number {
    return this.#pending;
  }

  /** Resolves when a query is answered or fails. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Adds a peer, once. */
  add(peer: PeerInfo): void {
    const name = peer.id.toString();
    if (this.#byName.has(name)) return;
    const distance = kademliaId(peer.id.toMultihash().bytes)
      .map((byte, i) => byte ^ (this.#position[i] ?? 0));
    const candidate: Candidate = { peer, distance, state: "known" };
    this.#byName.set(name, candidate);
    const at = this.#candidates.findIndex((other) => compare(distance, other.distance) < 0);
    this.#candidates.splice(at < 0 ? this.#candidates.length : at, 0, candidate);
  }

  /** The nearest peer that was not asked yet; undefined if it is not among the nearest `width`. */
  next(): PeerInfo | undefined {
    let nearer = 0;
    for (const candidate of this.#candidates) {
      if (nearer >= this.#width) return undefined;
      if (candidate.state === "known") {
        candidate.state = "asked";
        this.#pending++;
        return candidate.peer;
      }
      if (candidate.state !== "failed") nearer++;
    }
    return undefined;
  }

  /** The nearest `width` peers that answered, nearest first. */
  nearestAnswered(): PeerInfo[] {
    return this.#candidates.filter(({ state }) => state === "answered")
      .slice(0, this.#width)
      .map(({ peer }) => peer);
  }

  answered(peer: PeerInfo): void {
    this.#settle(peer, "answered");
  }

  failed(peer: PeerInfo): void {
    this.#settle(peer, "failed");
  }

  #settle(peer: PeerInfo, state: State): void {
    const candidate = this.#byName.get(peer.id.toString());
    if (candidate?.state !== "asked") return;
    candidate.state = state;
    this.#pending--;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Compares distances as big-endian numbers. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
