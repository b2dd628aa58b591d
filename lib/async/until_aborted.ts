/**
 * Awaits work that takes no signal, such as the system's resolver: an abort ends the wait, not the
 * work.
 *
 * @throws what the work throws, or the signal's reason when it aborts.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  // Raced even if aborted: abandoned work may still reject.
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
