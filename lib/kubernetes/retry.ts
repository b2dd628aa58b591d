import { backoff } from "../async/backoff.ts";
import { messageOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";

/** Between two tries, ms: an API server that is gone is not run down when it is back. */
const DELAYS = { baseMs: 500, maxMs: 60_000 };
/** The same failure is said again after so many tries. */
const REPEAT_EVERY = 10;

/** Collaborators of {@link retry}. */
export interface RetryCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Source of jitter in [0, 1). */
  readonly random?: () => number;
}

/**
 * Does something until it succeeds, with growing pauses that jitter spreads. Failures are warnings
 * of the log: each new one, and a lasting one now and then.
 *
 * @throws the signal's reason when it aborts; nothing else.
 */
export async function retry<T>(
  { clock, log, random }: RetryCollaborators,
  attempt: () => Promise<T>,
  { signal }: Cancellable,
): Promise<T> {
  const delays = backoff(random === undefined ? DELAYS : { ...DELAYS, random });
  let said = "";
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const delayMs = Math.round(delays.next().value);
      const message = messageOf(error);
      if (message !== said || tries % REPEAT_EVERY === 0) {
        log.warn(`${message}; the agent goes on without, and tries again`, { tries, delayMs });
      }
      said = message;
      await clock.sleep(delayMs, { signal });
    }
  }
}
