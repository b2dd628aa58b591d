/** Time to headers that is assumed of a peer that never answered, ms. */
export const ASSUMED_TTFB_MS = 5;

/** The state of a peer. */
export interface PeerEntry {
  inFlight: number;
  /** Current requests by stream, for those that should not be made twice. */
  readonly streams: Map<string, number>;
  busyUntil: number;
  ttfbMs: number;
  /** Mean deviation of `ttfbMs`. */
  jitterMs: number;
  bytesPerSecond: number | undefined;
  failures: number;
  down: boolean;
  probeAt: number;
  probeFailures: number;
  /** Bodies that stalled since the last one that made progress. */
  stalls: number;
  lastByteAt: number;
  answered: boolean;
  updatedAt: number;
  /** The address that answered last. */
  address: string | undefined;
  port: number;
}

/** The state of a new peer. */
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
