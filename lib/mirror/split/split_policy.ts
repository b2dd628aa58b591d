import { LRUCache } from "lru-cache";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";

/**
 * The most transfers that are split at the same time: each buffers pieces that arrive out of order.
 */
const MAX_SPLITS = 2;
/** A body of a faster peer is not split: this node is the bottleneck then. */
const FAST_BYTES_PER_SECOND = 200e6;
/** The share of its time that a transfer must spend waiting for its peer to be split. */
const WAITING_SHARE = 0.6;
/** How long splitting is not tried again after it brought nothing, ms. */
const USELESS_MS = 60_000;
/** How many times faster several peers must be than the one was. */
const WORTHWHILE = 1.15;

/** The most contents that are remembered because they were wrong after a split. */
const MAX_DISTRUSTED = 1000;

/** Settings of {@link SplitPolicy}. */
export interface SplitOptions {
  /** Peers that send one body at the same time; 1: bodies are not split. */
  readonly splitPeers: number;
  /** How long one peer alone is measured first, ms. */
  readonly splitProbeMs: number;
  /** Bodies of which less is left are not split. */
  readonly splitMinBytes: number;
}

/** The progress of a transfer from one peer. */
export interface SplitProgress {
  readonly digest: Digest;
  readonly bytes: number;
  readonly leftBytes: number;
  readonly elapsedMs: number;
  /** The part of `elapsedMs` that was spent waiting for the peer. */
  readonly waitedMs: number;
}

/** The permit to split one transfer. */
export interface SplitPermit {
  /** Reports the speed of several peers together; false if splitting is not worth it. */
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

  /** Undefined if the transfer is to stay with one peer for now. */
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
   * One of several peers sent wrong content, and it is not known which. The content is not split
   * again, so that the liar is found next time and the others are not blamed.
   */
  distrust(digest: Digest): void {
    this.#distrusted.set(digest, true);
  }
}
