import type { Cancellable } from "./cancellable.ts";

/** Time, so that tests can own it. */
export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, options?: Partial<Cancellable>): Promise<void>;
}
