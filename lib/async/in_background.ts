import type { Cancellable } from "../ports/cancellable.ts";

/**
 * Runs work that goes on until it is told to end.
 *
 * @param onEnd called should it fail before.
 * @returns tells it to end, and resolves once it has.
 */
export function inBackground(
  work: (options: Cancellable) => Promise<void>,
  onEnd: (error: unknown) => void,
): () => Promise<void> {
  const stop = new AbortController();
  const done = work({ signal: stop.signal }).catch((error) => {
    if (!stop.signal.aborted) onEnd(error);
  });
  return () => {
    stop.abort();
    return done;
  };
}
