/** Wrong content of a peer that said that it had not verified it is excused so many times. */
const EXCUSED = 2;
/** For so long: it may have been deceived itself, by somebody who is shunned now, ms. */
const EXCUSED_SHUN_MS = 10_000;

/**
 * How long a peer is not asked after so many times of wrong content that it said it had not verified,
 * ms. Whoever does that again and again is no better than one that lies.
 */
export function shunUnverifiedMs(times: number, shunMs: number): number {
  return times <= EXCUSED ? Math.min(EXCUSED_SHUN_MS, shunMs) : shunMs;
}
