import { fairDeadline } from "../../async/fair_deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";

/** How long an answer is waited for. */
export interface PatienceOptions extends Cancellable {
  /** How long in any case, ms. */
  readonly usualMs: number;
  /** How long, in all, where whoever is asked is there and only late, ms. */
  readonly lateMs: number;
}

/**
 * Waits for an answer: a usual time, and longer where whoever was asked is there but busy, as
 * everybody is when a rollout begins. Who is gone is not waited for.
 *
 * @param isThere asked once, when the usual time is over; bounded in time, does not reject.
 * @throws what `ask` throws, a TimeoutError when there is no answer in time, the signal's reason.
 */
export async function patientQuestion<T>(
  ask: (options: Cancellable) => Promise<T>,
  isThere: () => Promise<boolean>,
  { usualMs, lateMs, signal }: PatienceOptions,
): Promise<T> {
  using usual = fairDeadline(usualMs, { signal });
  using late = fairDeadline(lateMs, { signal });
  const answer = ask(late);
  try {
    return await untilAborted(answer, usual.signal);
  } catch (error) {
    if (signal.aborted || !usual.signal.aborted) throw error;
    // The answer may come while that is found out.
    const verdict = isThere().then((there) => there ? answer : Promise.reject(error));
    return await Promise.race([answer, verdict]);
  }
}
