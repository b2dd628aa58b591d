import { LRUCache } from "lru-cache";

/** Remembers when each peer last delivered any bytes. */
export class Deliveries {
  readonly #last: LRUCache<string, number>;

  /** @param max peers that are remembered. */
  constructor(max: number) {
    this.#last = new LRUCache({ max });
  }

  /** Bytes of a peer arrived at this time. */
  note(peer: string, now: number): void {
    this.#last.set(peer, now);
  }

  /** When bytes of a peer last arrived; -Infinity if that is not known. */
  last(peer: string): number {
    return this.#last.get(peer) ?? -Infinity;
  }
}
