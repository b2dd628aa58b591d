/**
 * Waits for work that takes no signal itself, such as the system's resolver: an abort ends the
 * waiting, not the work.
 *
 * @throws what the work throws, or the signal's reason when it aborts.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  // Raced all the same: work that nobody waits for any more may still fail.
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
