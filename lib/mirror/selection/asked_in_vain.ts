import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import { place, placeOf, type Sender } from "../http/sender.ts";

/** Places and contents that are remembered. */
const MAX_REMEMBERED = 4096;

/**
 * Where content was asked for of late that did not come from there, though the index says that
 * somebody has it there: the others are asked first. As with blame a peer's id says nothing, so that
 * nobody hides those who have it behind many ids of his own.
 */
export class AskedInVain {
  readonly #asked: LRUCache<string, true>;

  /** @param keptMs for how long it is remembered, ms. */
  constructor(clock: Pick<Clock, "now">, keptMs: number) {
    this.#asked = expiringCache(clock, { max: MAX_REMEMBERED, ttlMs: keptMs });
  }

  /** @param key names the content. */
  add(key: string, sender: Pick<Sender, "peer" | "address">): void {
    this.#asked.set(`${placeOf(sender)} ${key}`, true);
  }

  /** Whether that is so of any of the peer's addresses. */
  has(key: string, { addresses, registryPort }: Peer): boolean {
    return this.#asked.size > 0 &&
      addresses.some((address) => this.#asked.has(`${place(address, registryPort)} ${key}`));
  }
}
