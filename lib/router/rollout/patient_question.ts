import { fairDeadline } from "../../async/fair_deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";

export interface PatienceOptions extends Cancellable {
  /** Usual deadline, ms. */
  readonly usualMs: number;
  /** Deadline, in total, if the peer is alive but late, ms. */
  readonly lateMs: number;
}

/**
 * Waits for an answer until the usual deadline, and longer if the peer is alive but busy, as all
 * nodes are at the start of a rollout. A dead peer gets no extra time.
 *
 * @param isAlive called once, at the usual deadline; bounded in time, does not reject.
 * @throws what `ask` throws, a TimeoutError at the deadline, the signal's reason.
 */
export async function patientQuestion<T>(
  ask: (options: Cancellable) => Promise<T>,
  isAlive: () => Promise<boolean>,
  { usualMs, lateMs, signal }: PatienceOptions,
): Promise<T> {
  using usual = fairDeadline(usualMs, { signal });
  using late = fairDeadline(lateMs, { signal });
  const answer = ask(late);
  try {
    return await untilAborted(answer, usual.signal);
  } catch (error) {
    if (signal.aborted || !usual.signal.aborted) throw error;
    // The answer may arrive meanwhile.
    const verdict = isAlive().then((alive) => alive ? answer : Promise.reject(error));
    return await Promise.race([answer, verdict]);
  }
}
