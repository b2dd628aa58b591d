import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";

/** Keys that are remembered. */
const MAX_KEYS = 4096;
/** The runtime writes what it gets from upstream, or from this node, within so long, ms. */
const BEGIN_MS = 200;
/** The same for each node that is before this one in a line, ms. */
const BEGIN_PER_NODE_MS = 50;
/** How long nobody is followed after that was given up, ms. */
const GAVE_UP_MS = 2000;

/** Remembers what this node may soon have, and what it waited for in vain. */
export class Expectations {
  readonly #clock: Pick<Clock, "now">;
  readonly #until = new LRUCache<string, number>({ max: MAX_KEYS });
  readonly #gaveUp = new LRUCache<string, number>({ max: MAX_KEYS });

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** A question about a key is put, the answer to which takes so long at most, ms. */
  asked(key: string, withinMs: number): void {
    this.#until.set(key, this.#clock.now() + withinMs + BEGIN_MS);
  }

  /** It is about to come, over so many nodes; 0: from upstream. */
  coming(key: string, nodes: number): void {
    this.#until.set(key, this.#clock.now() + BEGIN_MS + nodes * BEGIN_PER_NODE_MS);
  }

  /** Tells whether a key may soon be here. */
  has(key: string): boolean {
    return this.#clock.now() < (this.#until.get(key) ?? -Infinity);
  }

  /** Following came to nothing. */
  gaveUp(key: string): void {
    this.#gaveUp.set(key, this.#clock.now());
  }

  /** Tells whether following came to nothing moments ago. */
  hasGivenUp(key: string): boolean {
    return this.#clock.now() - (this.#gaveUp.get(key) ?? -Infinity) < GAVE_UP_MS;
  }
}
