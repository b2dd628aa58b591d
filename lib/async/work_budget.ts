import { setImmediate } from "node:timers";
import type { Clock } from "../ports/clock.ts";

/** Time after which bulk work yields to the event loop, ms. */
const SLICE_MS = 2;
/**
 * If other work takes longer than this between slices, the loop is busy and bulk work pauses, ms.
 */
const BUSY_MS = 8;
/** Longest such pause, ms. */
const MAX_PAUSE_MS = 100;

export interface WorkBudgetCollaborators {
  readonly clock: Pick<Clock, "now" | "sleep">;
  /** Resolves after the event loop has processed what is due; default `setImmediate`. */
  readonly turn?: () => Promise<void>;
}

/**
 * Bounds the share of bulk work (announcing, storing and expiring records) in the event loop, which
 * also serves pulls: a few milliseconds at a time for all such work of the router, and at most half
 * of a busy loop. The time that other work takes between two slices is the event loop's delay.
 */
export class WorkBudget {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  readonly #turn: () => Promise<void>;
  #sliceEnds = 0;
  readonly #queue: (() => void)[] = [];
  #pausing = false;

  constructor({ clock, turn }: WorkBudgetCollaborators) {
    this.#clock = clock;
    this.#turn = turn ?? (() => new Promise<void>((resolve) => void setImmediate(resolve)));
  }

  /** Resolves when bulk work may continue. Call it between pieces well under a slice. */
  async breathe(): Promise<void> {
    await this.run(() => {});
  }

  /**
   * Runs a piece of work well under a slice when its turn comes; pieces run one after the other.
   */
  async run<T>(work: () => T): Promise<T> {
    if (this.#queue.length === 0 && !this.#pausing && this.#clock.now() < this.#sliceEnds) {
      return work();
    }
    return await new Promise<T>((resolve, reject) => {
      this.#queue.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      if (!this.#pausing) this.#drain().catch(reject);
    });
  }

  async #drain(): Promise<void> {
    this.#pausing = true;
    try {
      while (this.#queue.length > 0) {
        if (this.#clock.now() >= this.#sliceEnds) await this.#pause();
        this.#queue.shift()?.();
      }
    } finally {
      this.#pausing = false;
    }
  }

  async #pause(): Promise<void> {
    const start = this.#clock.now();
    await this.#turn();
    const delayMs = this.#clock.now() - start;
    if (delayMs > BUSY_MS) await this.#clock.sleep(Math.min(delayMs, MAX_PAUSE_MS));
    this.#sliceEnds = this.#clock.now() + SLICE_MS;
  }
}
