export interface BackoffOptions {
  /** First delay, ms. */
  baseMs: number;
  /** Longest delay, ms. */
  maxMs: number;
  /** Source of jitter in [0, 1); default `Math.random`. */
  random?: () => number;
}

/**
 * Yields delays in ms, without end, that double from `baseMs` to `maxMs`, each with "equal jitter":
 * half fixed, half random, so that nodes that failed together do not retry together.
 */
export function* backoff(options: BackoffOptions): Generator<number, never, void> {
  const { baseMs, maxMs, random = Math.random } = options;
  for (let delay = baseMs;; delay = Math.min(delay * 2, maxMs)) {
    const capped = Math.min(delay, maxMs);
    yield capped / 2 + random() * capped / 2;
  }
}
