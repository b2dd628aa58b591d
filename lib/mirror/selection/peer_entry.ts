/** Time to headers that is assumed of a peer that never answered, ms. */
export const ASSUMED_TTFB_MS = 5;

/** What is remembered of a peer. */
export interface PeerEntry {
  inFlight: number;
  /** How often what is asked for just now that is not to be asked for twice without need. */
  readonly streams: Map<string, number>;
  busyUntil: number;
  ttfbMs: number;
  /** Mean deviation of the above. */
  jitterMs: number;
  bytesPerSecond: number | undefined;
  failures: number;
  down: boolean;
  probeAt: number;
  probeFailures: number;
  /** Bodies that stood still since one got on. */
  stalls: number;
  lastByteAt: number;
  answered: boolean;
  updatedAt: number;
  /** Where it answered last. */
  address: string | undefined;
  port: number;
}

/** Of a peer of which nothing is known. */
export function newEntry(now: number): PeerEntry {
  return {
    inFlight: 0,
    streams: new Map(),
    busyUntil: -Infinity,
    ttfbMs: ASSUMED_TTFB_MS,
    jitterMs: 0,
    bytesPerSecond: undefined,
    failures: 0,
    down: false,
    probeAt: 0,
    probeFailures: 0,
    stalls: 0,
    lastByteAt: -Infinity,
    answered: false,
    updatedAt: now,
    address: undefined,
    port: 0,
  };
}
