import { backoff } from "../async/backoff.ts";
import { messageOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";

/** Delays between attempts, ms: nodes must not overload an API server that comes back. */
const DELAYS = { baseMs: 500, maxMs: 60_000 };
/** Attempts after which a repeated failure is logged again. */
const REPEAT_EVERY = 10;

export interface RetryCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Source of jitter in [0, 1). */
  readonly random?: () => number;
}

/**
 * Runs `work` until it succeeds, with exponential backoff and jitter. Each new failure is logged as
 * a warning, a lasting one from time to time.
 *
 * @throws the signal's reason when it aborts; nothing else.
 */
export async function retry<T>(
  { clock, log, random }: RetryCollaborators,
  attempt: () => Promise<T>,
  { signal }: Cancellable,
): Promise<T> {
  const delays = backoff(random === undefined ? DELAYS : { ...DELAYS, random });
  let reported = "";
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const delayMs = Math.round(delays.next().value);
      const message = messageOf(error);
      if (message !== reported || tries % REPEAT_EVERY === 0) {
        log.warn(`${message}; the agent continues without it and retries`, { tries, delayMs });
      }
      reported = message;
      await clock.sleep(delayMs, { signal });
    }
  }
}
