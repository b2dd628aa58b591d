import type { Clock } from "../ports/clock.ts";

/** Unused time of the line that is made up for: timers wake late, and that must not add up. */
const CREDIT_MS = 50;
/** Bytes are let through in pieces that take the line about so long. */
const PIECE_MS = 20;
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * Holds a rate that several flows share: who waits gets turns by flow, so that one with many
 * transfers gets no more than one with a single transfer.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** In the order of their turns. */
  readonly #flows = new Map<string, Waiter[]>();
  #freeAt = -Infinity;
  #pumping = false;

  /** @param bytesPerSecond more than 0. */
  constructor(clock: Clock, bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`rate is ${bytesPerSecond}, want more than 0`);
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Most that should be taken at once, so that the others get their turns. */
  get pieceBytes(): number {
    const bytes = Math.round(this.#bytesPerMs * PIECE_MS);
    return Math.min(Math.max(bytes, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
  }

  /**
   * Takes the line for so many bytes of a flow; undefined if they may pass at once, else a promise
   * of when they may. It rejects with the signal's reason when that aborts.
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

  /** Lets those who wait go, each when the line is free. */
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
      // The flow's next turn comes after all others had theirs.
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
