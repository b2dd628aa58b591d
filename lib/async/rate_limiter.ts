import type { Clock } from "../ports/clock.ts";

/** Unused time that may be caught up, ms: timers wake late, and the delays must not accumulate. */
const CREDIT_MS = 50;
/** Transmission time of one piece, ms. */
const PIECE_MS = 20;
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * Limits a rate shared by several flows. Waiters take turns by flow, so that a flow with many
 * transfers gets no more than one with a single transfer.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** Flows in the order of their turns. */
  readonly #flows = new Map<string, Waiter[]>();
  #freeAt = -Infinity;
  #pumping = false;

  /** @param bytesPerSecond more than 0. */
  constructor(clock: Clock, bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`rate is ${bytesPerSecond}, want more than 0`);
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Largest piece to take at once, so that other flows get their turns. */
  get pieceBytes(): number {
    const bytes = Math.round(this.#bytesPerMs * PIECE_MS);
    return Math.min(Math.max(bytes, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
  }

  /**
   * Takes capacity for some bytes of a flow; undefined if they may be sent at once, else a promise
   * that resolves when they may. It rejects with the signal's reason when that aborts.
   */
  take(flow: string, bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#flows.size === 0 && this.#freeAt <= this.#clock.now()) {
      this.#charge(bytes);
      return undefined;
    }
    return this.#wait(flow, bytes, signal);
  }

  #wait(flow: string, bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        const others = (this.#flows.get(flow) ?? []).filter((other) => other !== waiter);
        if (others.length === 0) this.#flows.delete(flow);
        else this.#flows.set(flow, others);
        reject(signal.reason);
      };
      const go = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiter = { bytes, go };
      const waiters = this.#flows.get(flow);
      if (waiters === undefined) this.#flows.set(flow, [waiter]);
      else waiters.push(waiter);
      signal.addEventListener("abort", leave, { once: true });
      if (!this.#pumping) void this.#pump();
    });
  }

  /** Resumes waiters, each when there is capacity. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#flows.size > 0) {
      const waitMs = this.#freeAt - this.#clock.now();
      if (waitMs > 0) await this.#clock.sleep(waitMs);
      else this.#next();
    }
    this.#pumping = false;
  }

  #next(): void {
    for (const [flow, waiters] of this.#flows) {
      const waiter = waiters.shift();
      // The flow's next turn comes after those of all others.
      this.#flows.delete(flow);
      if (waiters.length > 0) this.#flows.set(flow, waiters);
      if (waiter === undefined) continue;
      this.#charge(waiter.bytes);
      return waiter.go();
    }
  }

  #charge(bytes: number): void {
    const from = Math.max(this.#freeAt, this.#clock.now() - CREDIT_MS);
    this.#freeAt = from + bytes / this.#bytesPerMs;
  }
}
