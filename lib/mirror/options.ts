/** Settings of the mirror. Times in milliseconds. */
export interface MirrorOptions {
  /** How long the router may take to name a first peer; then the answer is a miss. */
  readonly resolveTimeoutMs: number;
  /** Peers that may refuse or fail one request before it is a miss. */
  readonly resolveRetries: number;
  /** How long one peer may take to send headers before it counts as silent. */
  readonly responseTimeoutMs: number;
  /** How long a request may take until a peer has sent headers; then it is a miss. */
  readonly headerBudgetMs: number;
  /** A second peer is asked no sooner than this after the first. */
  readonly hedgeMinMs: number;
  /** Peers that are asked at the same time for one request. */
  readonly maxConcurrentAsks: number;
  /** Requests for blobs under way to one peer; more go to the next peer. */
  readonly maxPerPeer: number;
  /**
   * How long a request waits when all peers are busy. Then a peer that is only busy with sending
   * this very content is asked for it once more; else it is a miss.
   */
  readonly busyWaitMs: number;
  /** Requests under way for the same blob, or the same part of it, to one peer. */
  readonly maxCopies: number;
  /** Delay between connection attempts to several addresses of one peer (RFC 8305, section 5). */
  readonly addressStaggerMs: number;
  /** A body without a byte for this long is continued at another peer. */
  readonly stallWindowMs: number;
  /** Span over which a body's speed is judged. Only time spent waiting for the peer counts. */
  readonly slowWindowMs: number;
  /** A body slower than this is continued at another peer, if there is one. */
  readonly minBytesPerSecond: number;
  /** A body without a byte for this long fails, so that the client can go on elsewhere. */
  readonly giveUpMs: number;
  /** Switches of one body without 16 MiB of progress between them. */
  readonly maxSwitches: number;
  /** How long a request waits for a sign of life when all its peers were down. */
  readonly probeWaitMs: number;
  /**
   * Pause after a failed probe of a peer that is down; doubles with each. The first probe has none:
   * it is sent with the next request that could use the peer.
   */
  readonly probeBaseMs: number;
  /** Longest pause between probes. */
  readonly probeMaxMs: number;
  /** How long a peer is not asked after a body stalled, at first; doubles each time. */
  readonly stallPauseMs: number;
  /** Longest such time. */
  readonly stallPauseMaxMs: number;
  /**
   * How long a peer that sent wrong content is not asked, or is under suspicion after it broke off,
   * and how long one that was asked in vain for content comes last for that content.
   */
  readonly shunMs: number;
  /** Blobs up to this many bytes are read and verified before anything of them is returned. */
  readonly smallBlobBytes: number;
  /** Larger blobs up to this many bytes are verified so, too, if the memory for it is free. */
  readonly verifyWholeBytes: number;
  /** Memory for blobs that are verified before anything of them is returned, bytes in all. */
  readonly verifyWholeTotalBytes: number;
  /** How long such a blob may take to arrive; then it is a miss, and is streamed the next time. */
  readonly verifyWholeMs: number;
  /** How long such a blob waits for memory; then it is a miss. */
  readonly verifyWholeWaitMs: number;
  /** Size of the cache of manifests, bytes. */
  readonly manifestCacheBytes: number;
  /** How long a manifest is kept: enough for the client to follow a tag's digest. */
  readonly manifestCacheTtlMs: number;
  /** Peers whose health is remembered. */
  readonly maxTrackedPeers: number;
  /** Peers taken from one lookup. */
  readonly maxCandidates: number;
  /** Idle connections kept to each address of a peer. */
  readonly poolIdlePerHost: number;
  /** Idle connections kept in all. */
  readonly poolIdleTotal: number;
  /** How long an idle connection is kept. */
  readonly poolIdleTimeoutMs: number;
  /** Peers that send one large body at the same time; 1: bodies are not split. */
  readonly splitPeers: number;
  /** Bytes of the pieces that each of them gets in turn. */
  readonly splitPieceBytes: number;
  /** How long one peer alone is measured before others are asked as well. */
  readonly splitProbeMs: number;
  /** Bodies of which less is left are not split. */
  readonly splitMinBytes: number;
  /** False: bodies of blobs are not hashed; manifests and small blobs that are kept are. */
  readonly verify: boolean;
}

/** The defaults. */
export const MIRROR_DEFAULTS: MirrorOptions = {
  resolveTimeoutMs: 20,
  resolveRetries: 3,
  responseTimeoutMs: 400,
  headerBudgetMs: 450,
  hedgeMinMs: 50,
  maxConcurrentAsks: 4,
  maxPerPeer: 64,
  busyWaitMs: 100,
  maxCopies: 8,
  addressStaggerMs: 50,
  stallWindowMs: 1000,
  slowWindowMs: 1000,
  minBytesPerSecond: 64 * 1024,
  giveUpMs: 1300,
  maxSwitches: 16,
  probeWaitMs: 10,
  probeBaseMs: 500,
  probeMaxMs: 10_000,
  stallPauseMs: 5000,
  stallPauseMaxMs: 60_000,
  shunMs: 600_000,
  smallBlobBytes: 1024 * 1024,
  verifyWholeBytes: 32 * 1024 * 1024,
  verifyWholeTotalBytes: 128 * 1024 * 1024,
  verifyWholeMs: 20_000,
  verifyWholeWaitMs: 5000,
  manifestCacheBytes: 16 * 1024 * 1024,
  manifestCacheTtlMs: 5000,
  maxTrackedPeers: 1024,
  maxCandidates: 20,
  poolIdlePerHost: 32,
  poolIdleTotal: 256,
  poolIdleTimeoutMs: 30_000,
  splitPeers: 4,
  splitPieceBytes: 2 * 1024 * 1024,
  splitProbeMs: 250,
  splitMinBytes: 24 * 1024 * 1024,
  verify: true,
};

/** Settings that may be zero; all others are at least 1. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set([
  "addressStaggerMs",
  "busyWaitMs",
  "hedgeMinMs",
  "minBytesPerSecond",
  "poolIdlePerHost",
  "poolIdleTotal",
  "probeWaitMs",
  "smallBlobBytes",
  "verifyWholeBytes",
  "verifyWholeTotalBytes",
]);

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} naming the setting that is not a finite number in its range.
 */
export function mirrorOptions(given: Partial<MirrorOptions>): MirrorOptions {
  const options = { ...MIRROR_DEFAULTS, ...given };
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === "boolean") continue;
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    if (!Number.isFinite(value) || value < least) {
      throw new RangeError(`mirror option ${name} is ${value}, want a number from ${least} on`);
    }
  }
  return options;
}
