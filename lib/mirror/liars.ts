import { LRUCache } from "lru-cache";
import type { Clock } from "../ports.ts";

/** Wrong content of a peer that said that it had not verified it is excused so many times. */
const EXCUSED = 2;
/** For so long: it may have been deceived itself, by somebody who is shunned now, ms. */
const EXCUSED_SHUN_MS = 10_000;

/** Settings of {@link Liars}. */
export interface LiarsOptions {
  /** How long a peer that sent wrong content is not asked, ms. */
  readonly shunMs: number;
  /** Peers that are remembered. */
  readonly maxTrackedPeers: number;
}

interface Liar {
  readonly until: number;
  readonly excused: number;
}

/** Peers that sent content that is not what was asked for, and are not asked for a while. */
export class Liars {
  readonly #clock: Pick<Clock, "now">;
  readonly #options: LiarsOptions;
  readonly #liars: LRUCache<string, Liar>;

  constructor(clock: Pick<Clock, "now">, options: LiarsOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#liars = new LRUCache({ max: options.maxTrackedPeers });
  }

  isShunned(id: string): boolean {
    const liar = this.#liars.get(id);
    return liar !== undefined && liar.until > this.#clock.now();
  }

  /**
   * A peer sent wrong content.
   *
   * @param unverified it said that it had not verified it. Whoever does that again and again is no
   * better than one that lies.
   * @returns for how long it is not asked, ms.
   */
  add(id: string, unverified: boolean): number {
    const { shunMs } = this.#options;
    const excused = (this.#liars.get(id)?.excused ?? 0) + (unverified ? 1 : 0);
    const forMs = unverified && excused <= EXCUSED ? Math.min(EXCUSED_SHUN_MS, shunMs) : shunMs;
    this.#liars.set(id, { until: this.#clock.now() + forMs, excused });
    return forMs;
  }
}
