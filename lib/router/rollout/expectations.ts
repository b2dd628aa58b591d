import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";

/** Maximum keys. */
const MAX_KEYS = 4096;
/** How soon the runtime starts writing content from upstream, or from this node, ms. */
const BEGIN_MS = 200;
/** Additional time per node between this one and upstream, ms. */
const BEGIN_PER_NODE_MS = 50;
/** How long no parent is followed after following failed, ms. */
const GAVE_UP_MS = 2000;

/** Content that this node may soon have, and content for which following failed. */
export class Expectations {
  readonly #clock: Pick<Clock, "now">;
  readonly #until = new LRUCache<string, number>({ max: MAX_KEYS });
  readonly #gaveUp = new LRUCache<string, number>({ max: MAX_KEYS });

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Records a question about a key, with the deadline of its answer, ms. */
  asked(key: string, withinMs: number): void {
    this.#until.set(key, this.#clock.now() + withinMs + BEGIN_MS);
  }

  /** Records that content is about to arrive over `nodes` other nodes; 0: from upstream. */
  coming(key: string, nodes: number): void {
    this.#until.set(key, this.#clock.now() + BEGIN_MS + nodes * BEGIN_PER_NODE_MS);
  }

  /** Tells whether a key may soon be here. */
  has(key: string): boolean {
    return this.#clock.now() < (this.#until.get(key) ?? -Infinity);
  }

  /** Records that following failed. */
  gaveUp(key: string): void {
    this.#gaveUp.set(key, this.#clock.now());
  }

  /** Tells whether following failed recently. */
  hasGivenUp(key: string): boolean {
    return this.#clock.now() - (this.#gaveUp.get(key) ?? -Infinity) < GAVE_UP_MS;
  }
}
