import { LRUCache } from "lru-cache";
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
  readonly #clock: Pick<Clock, "now">;
  readonly #keptMs: number;
  readonly #until = new LRUCache<string, number>({ max: MAX_REMEMBERED });

  /** @param keptMs for how long it is remembered, ms. */
  constructor(clock: Pick<Clock, "now">, keptMs: number) {
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  /** @param key names the content. */
  add(key: string, sender: Pick<Sender, "peer" | "address">): void {
    this.#until.set(`${placeOf(sender)} ${key}`, this.#clock.now() + this.#keptMs);
  }

  /** Whether that is so of any of the peer's addresses. */
  has(key: string, { addresses, registryPort }: Peer): boolean {
    const now = this.#clock.now();
    return this.#until.size > 0 &&
      addresses.some((address) =>
        (this.#until.get(`${place(address, registryPort)} ${key}`) ?? -Infinity) > now
      );
  }
}
