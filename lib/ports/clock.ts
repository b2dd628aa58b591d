import type { Cancellable } from "./cancellable.ts";

/** Time, as an interface so that tests control it. */
export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, options?: Partial<Cancellable>): Promise<void>;
}
