import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";
import type { Suspicion } from "../http/sender.ts";

/** Wrong content that a peer passed on before it had verified it is excused so many times. */
const EXCUSED = 2;
/** For so long nothing of the kind is taken from it: whoever deceived it may be found out by then, ms. */
const EXCUSED_MS = 10_000;

/** Settings of {@link PenaltyBox}. */
export interface PenaltyBoxOptions {
  /** How long a place from which wrong content came is not asked, ms. */
  readonly shunMs: number;
  /** Places that are remembered. */
  readonly maxTrackedPeers: number;
}

/**
 * Places, by `placeOf`, from which content came that is not what was asked for. They are not asked
 * for a while, whoever is there. Those that passed it on before they could verify it are still
 * believed what they hold, only not what they are still getting.
 */
export class PenaltyBox {
  readonly #clock: Pick<Clock, "now">;
  readonly #options: PenaltyBoxOptions;
  readonly #shunned: LRUCache<string, number>;
  readonly #suspects: LRUCache<string, { readonly until: number; readonly suspicion: Suspicion }>;
  readonly #relays: LRUCache<string, { readonly until: number; readonly excused: number }>;

  constructor(clock: Pick<Clock, "now">, options: PenaltyBoxOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#shunned = new LRUCache({ max: options.maxTrackedPeers });
    this.#suspects = new LRUCache({ max: options.maxTrackedPeers });
    this.#relays = new LRUCache({ max: options.maxTrackedPeers });
  }

  /** Whether nobody is shunned, at next to no cost. */
  get isEmpty(): boolean {
    return this.#shunned.size === 0;
  }

  isShunned(place: string): boolean {
    return (this.#shunned.get(place) ?? -Infinity) > this.#clock.now();
  }

  /** Unless it is 0 nothing is passed on from there that was not verified, if that can be helped. */
  suspicion(place: string): Suspicion {
    const suspect = this.#suspects.get(place);
    return suspect !== undefined && suspect.until > this.#clock.now() ? suspect.suspicion : 0;
  }

  /** Whether what is still arriving there is not taken. */
  isBadRelay(place: string): boolean {
    return (this.#relays.get(place)?.until ?? -Infinity) > this.#clock.now();
  }

  /** It alone sent wrong content. Returns for how long it is not asked, ms. */
  add(place: string): number {
    const { shunMs } = this.#options;
    this.#shunned.set(place, this.#clock.now() + shunMs);
    return shunMs;
  }

  /** It may have sent something wrong: a body broke off there, or several together were wrong. */
  suspect(place: string, suspicion: Suspicion): void {
    const until = this.#clock.now() + this.#options.shunMs;
    const before = this.suspicion(place);
    this.#suspects.set(place, { until, suspicion: before > suspicion ? before : suspicion });
  }

  /**
   * It passed on wrong content that it was still getting.
   *
   * @returns for how long nothing of the kind is taken from it, ms.
   */
  addRelay(place: string): number {
    const { shunMs } = this.#options;
    const excused = (this.#relays.get(place)?.excused ?? 0) + 1;
    const forMs = excused <= EXCUSED ? Math.min(EXCUSED_MS, shunMs) : shunMs;
    this.#relays.set(place, { until: this.#clock.now() + forMs, excused });
    return forMs;
  }
}
