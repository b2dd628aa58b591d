import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
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
  readonly #expected: LRUCache<string, true>;
  readonly #gaveUp: LRUCache<string, true>;

  constructor(clock: Pick<Clock, "now">) {
    this.#expected = expiringCache(clock, { max: MAX_KEYS, ttlMs: BEGIN_MS });
    this.#gaveUp = expiringCache(clock, { max: MAX_KEYS, ttlMs: GAVE_UP_MS });
  }

  /** Records a question about a key, with the deadline of its answer, ms. */
  asked(key: string, withinMs: number): void {
    this.#expected.set(key, true, { ttl: withinMs + BEGIN_MS });
  }

  /** Records that content is about to arrive over `nodes` other nodes; 0: from upstream. */
  coming(key: string, nodes: number): void {
    this.#expected.set(key, true, { ttl: BEGIN_MS + nodes * BEGIN_PER_NODE_MS });
  }

  /** Tells whether a key may soon be here. */
  has(key: string): boolean {
    return this.#expected.has(key);
  }

  /** Records that following failed. */
  gaveUp(key: string): void {
    this.#gaveUp.set(key, true);
  }

  /** Tells whether following failed recently. */
  hasGivenUp(key: string): boolean {
    return this.#gaveUp.has(key);
  }
}
