import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import { place, placeOf, type Sender } from "../http/sender.ts";

/** The most pairs of address and content that are remembered. */
const MAX_REMEMBERED = 4096;

/**
 * Addresses that recently did not deliver content although the index says that a peer there has it:
 * other peers are asked first. As for blame, ids of peers do not count, so that no peer can hide
 * the real holders behind many ids of its own.
 */
export class AskedInVain {
  readonly #asked: LRUCache<string, true>;

  /** @param keptMs how long an address is remembered, ms. */
  constructor(clock: Pick<Clock, "now">, keptMs: number) {
    this.#asked = expiringCache(clock, { max: MAX_REMEMBERED, ttlMs: keptMs });
  }

  /** @param key names the content. */
  add(key: string, sender: Pick<Sender, "peer" | "address">): void {
    this.#asked.set(`${placeOf(sender)} ${key}`, true);
  }

  /** Whether any of the peer's addresses did not deliver the content. */
  has(key: string, { addresses, registryPort }: Peer): boolean {
    return this.#asked.size > 0 &&
      addresses.some((address) => this.#asked.has(`${place(address, registryPort)} ${key}`));
  }
}
