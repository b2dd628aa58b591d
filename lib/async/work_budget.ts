import { setImmediate } from "node:timers";
import type { Clock } from "../ports/clock.ts";

/** Bulk work gives the event loop back after so long, ms. */
const SLICE_MS = 2;
/** When others needed longer than this in between, the loop is busy and bulk work steps back, ms. */
const BUSY_MS = 8;
/** Longest time that bulk work steps back at once, ms. */
const MAX_PAUSE_MS = 100;

/** Collaborators of a {@link WorkBudget}. */
export interface WorkBudgetCollaborators {
  readonly clock: Pick<Clock, "now" | "sleep">;
  /** Resolves after the event loop has dealt with what is due; default `setImmediate`. */
  readonly turn?: () => Promise<void>;
}

/**
 * Bounds what bulk work (announcing, taking in and sweeping records) takes of the event loop, which
 * has pulls to serve: a few milliseconds at a time over all such work of the router, and no more
 * than half of a loop that is busy. What others need between two slices is the delay of the event
 * loop.
 */
export class WorkBudget {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  readonly #turn: () => Promise<void>;
  #sliceEnds = 0;
  readonly #queue: (() => void)[] = [];
  #pausing = false;
  #delayMs = 0;

  constructor({ clock, turn }: WorkBudgetCollaborators) {
    this.#clock = clock;
    this.#turn = turn ?? (() => new Promise<void>((resolve) => void setImmediate(resolve)));
  }

  /** Delay of the event loop that was measured last, ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Resolves when bulk work may go on. Call it between pieces of well under a slice. */
  async breathe(): Promise<void> {
    await this.run(() => {});
  }

  /** Does a piece of work of well under a slice when it is its turn; one after the other. */
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
    this.#delayMs = this.#clock.now() - start;
    if (this.#delayMs > BUSY_MS) await this.#clock.sleep(Math.min(this.#delayMs, MAX_PAUSE_MS));
    this.#sliceEnds = this.#clock.now() + SLICE_MS;
  }
}
