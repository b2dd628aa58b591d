/** Settings of {@link until}. */
export interface UntilOptions {
  /** What is waited for, for the error message. */
  what: string;
  /** Longest wait, ms. Default 20,000. */
  timeoutMs?: number;
  /** Pause between two looks, ms. Default 50. */
  intervalMs?: number;
}

/** Thrown by `look` when what is waited for cannot happen any more. */
export class GiveUp extends Error {
  override readonly name = "GiveUp";
}

/**
 * Looks again and again until `look` gives something other than undefined or false.
 *
 * @returns what it gave, and how long that took.
 * @throws {Error} naming what was waited for and the last error of `look`, when the time is up.
 * @throws {GiveUp} at once, if `look` throws it.
 */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions,
): Promise<{ value: T; elapsedMs: number }> {
  const { what, timeoutMs = 20_000, intervalMs = 50 } = options;
  const start = performance.now();
  let problem: unknown;
  do {
    try {
      const value = await look();
      if (value !== undefined && value !== false) {
        return { value, elapsedMs: performance.now() - start };
      }
      problem = undefined;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      problem = error;
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  } while (performance.now() - start < timeoutMs);
  const because = problem instanceof Error ? `: ${problem.message}` : "";
  throw new Error(`${what}: not within ${timeoutMs} ms${because}`);
}
