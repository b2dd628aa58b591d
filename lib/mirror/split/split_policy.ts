import { LRUCache } from "lru-cache";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";

/** Transfers that are split at the same time: each buffers pieces that came before their turn. */
const MAX_SPLITS = 2;
/** One peer as fast as this is left alone: the machine itself is the bottleneck then. */
const FAST_BYTES_PER_SECOND = 200e6;
/** A transfer is slowed down by its peer if this part of its time is spent waiting for it. */
const WAITING_SHARE = 0.6;
/** When splitting was of no use it is not tried again for so long, ms. */
const USELESS_MS = 60_000;
/** Several peers have to be so many times faster than the one was. */
const WORTHWHILE = 1.15;

/** Contents that turned out wrong after a split, and are remembered. */
const MAX_DISTRUSTED = 1000;

/** Settings of {@link SplitPolicy}. */
export interface SplitOptions {
  /** Peers that one body is got from at the same time; 1: never more than one. */
  readonly splitPeers: number;
  /** Time for which one peer alone is watched first, ms. */
  readonly splitProbeMs: number;
  /** Bodies of which less is left are not split. */
  readonly splitMinBytes: number;
}

/** How a transfer from one peer gets on. */
export interface SplitProgress {
  readonly digest: Digest;
  readonly bytes: number;
  readonly leftBytes: number;
  readonly elapsedMs: number;
  /** Part of the above that was spent waiting for the peer. */
  readonly waitedMs: number;
}

/** Leave to split one transfer. */
export interface SplitPermit {
  /** Tells how fast several peers are together; false if that is not worth while. */
  worthwhile(bytesPerSecond: number): boolean;
  /** Gives it back, once. */
  release(): void;
}

/** Decides which transfers are split over several peers. */
export class SplitPolicy {
  readonly #clock: Clock;
  readonly #options: SplitOptions;
  readonly #distrusted = new LRUCache<Digest, true>({ max: MAX_DISTRUSTED });
  #active = 0;
  #uselessUntil = -Infinity;

  constructor(clock: Clock, options: SplitOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Undefined if the transfer is to go on from one peer for now. */
  permit(progress: SplitProgress): SplitPermit | undefined {
    const { digest, bytes, leftBytes, elapsedMs, waitedMs } = progress;
    const { splitPeers, splitProbeMs, splitMinBytes } = this.#options;
    if (elapsedMs < splitProbeMs || leftBytes < splitMinBytes || splitPeers < 2) return undefined;
    if (this.#active >= MAX_SPLITS || this.#clock.now() < this.#uselessUntil) return undefined;
    const alone = bytes * 1000 / Math.max(elapsedMs, 1);
    if (alone > FAST_BYTES_PER_SECOND || waitedMs < WAITING_SHARE * elapsedMs) return undefined;
    if (this.#distrusted.has(digest)) return undefined;
    this.#active++;
    let released = false;
    return {
      worthwhile: (bytesPerSecond) => {
        const useful = bytesPerSecond >= WORTHWHILE * alone;
        if (!useful) this.#uselessUntil = this.#clock.now() + USELESS_MS;
        return useful;
      },
      release: () => {
        if (!released) this.#active--;
        released = true;
      },
    };
  }

  /**
   * Somebody among several sent wrong content, and nobody can tell who. It is not got from several
   * at once again, so that next time the one that lies is found out, and the others are not blamed.
   */
  distrust(digest: Digest): void {
    this.#distrusted.set(digest, true);
  }
}
