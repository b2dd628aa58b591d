import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { PenaltyBox } from "./penalty_box.ts";
import type { MirrorOptions } from "../options.ts";
import { ASSUMED_TTFB_MS, newEntry, type PeerEntry } from "./peer_entry.ts";

/** The health of a peer, for the debug pages. */
export interface PeerHealthReport {
  readonly id: string;
  /** Requests and bodies under way. */
  readonly inFlight: number;
  /** Average time to headers, ms; undefined if it never answered. */
  readonly ttfbMs: number | undefined;
  /** Average speed of one body; undefined if there was none. */
  readonly bytesPerSecond: number | undefined;
  /** Failures since it last answered a request. */
  readonly failures: number;
  /**
   * `down`: it is not asked before it has answered a probe. `shunned`: it sent wrong content, and
   * is not asked.
   */
  readonly standing: Standing;
  /** Address that worked last. */
  readonly address: string | undefined;
}

export type Standing = "good" | "down" | "shunned";

/** Half-life of what was measured of a peer's delay, ms. */
const HALF_LIFE_MS = 30_000;
/** Weight of a new sample. */
const ALPHA = 0.25;
/** A slower body is no sign of life. */
const ALIVE_BYTES_PER_SECOND = 1024;
/** After so many bytes of one body its peer makes progress again. */
const GETS_ON_BYTES = 64 * 1024;
/** A shorter wait for fewer bytes is no sample of a peer's speed. */
const TELLING_MS = 10;
const TELLING_BYTES = 1024 * 1024;
/** A peer that sent bytes within this time is alive, and not probed. */
const BUSY_MS = 1000;
/** How long a peer that is overloaded is not asked, ms. */
const BUSY_PAUSE_MS = 50;
/** Higher speeds make no difference. */
const FAST_BYTES_PER_SECOND = 100e6;

/** What {@link PeerHealth} works with. */
export interface PeerHealthCollaborators {
  readonly clock: Pick<Clock, "now">;
  readonly penalties: Pick<PenaltyBox, "isShunned">;
}

/**
 * Health and load of peers, which decide whether and in which order they are asked. The number of
 * peers is limited; those not used for the longest time are forgotten.
 */
export class PeerHealth {
  readonly #clock: Pick<Clock, "now">;
  readonly #options: MirrorOptions;
  readonly #entries: LRUCache<string, PeerEntry>;
  readonly #penalties: Pick<PenaltyBox, "isShunned">;
  #freed = Promise.withResolvers<void>();

  constructor({ clock, penalties }: PeerHealthCollaborators, options: MirrorOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#entries = new LRUCache({ max: options.maxTrackedPeers });
    this.#penalties = penalties;
  }

  standing(peer: Peer): Standing {
    if (this.#penalties.isShunned(peer)) return "shunned";
    return this.#entries.get(peer.id)?.down ? "down" : "good";
  }

  /**
   * The cost of a peer, unitless: grows with load, delay, slowness and failures. The lowest is the
   * best choice.
   */
  cost(id: string): number {
    const entry = this.#entries.get(id);
    if (entry === undefined) return 2 * ASSUMED_TTFB_MS;
    const speed = entry.bytesPerSecond ?? FAST_BYTES_PER_SECOND;
    const slowness = Math.min(Math.max(FAST_BYTES_PER_SECOND / Math.max(speed, 1), 1), 8);
    return (entry.inFlight + 1) * (this.#ttfb(entry) + ASSUMED_TTFB_MS) * slowness *
      (1 + Math.min(entry.failures, 7));
  }

  /** Milliseconds after which this peer's answer is late (about its 90th percentile). */
  hedgeMs(id: string): number {
    const entry = this.#entries.get(id);
    const usual = entry?.answered ? this.#ttfb(entry) + 2 * entry.jitterMs : 0;
    return Math.min(
      Math.max(usual, this.#options.hedgeMinMs),
      Math.max(this.#options.responseTimeoutMs / 2, this.#options.hedgeMinMs),
    );
  }

  /**
   * Whether a peer has room for one more request.
   *
   * @param stream the content to ask for, if it should not be asked for twice.
   * @param again it may be asked for as often at the same time as the options say.
   */
  free(id: string, stream: string, again = false): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return true;
    const { maxPerPeer, maxCopies } = this.#options;
    return entry.inFlight < maxPerPeer && entry.busyUntil <= this.#clock.now() &&
      (entry.streams.get(stream) ?? 0) < (again ? maxCopies : 1);
  }

  /** Resolves when the next request ends, at any peer. */
  freed(): Promise<void> {
    return this.#freed.promise;
  }

  /**
   * A request begins; the function returned ends it, once.
   *
   * @param stream see {@link free}.
   */
  begin(id: string, stream?: string): () => void {
    const entry = this.#entry(id);
    entry.inFlight++;
    if (stream !== undefined) count(entry.streams, stream, 1);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      entry.inFlight--;
      if (stream !== undefined) count(entry.streams, stream, -1);
      this.#freed.resolve();
      this.#freed = Promise.withResolvers();
    };
  }

  /** The peer is overloaded. */
  busy(id: string): void {
    this.#entry(id).busyUntil = this.#clock.now() + BUSY_PAUSE_MS;
  }

  /** Headers arrived, with any status. */
  answered(id: string, ms: number): void {
    const entry = this.#entry(id);
    entry.failures = 0;
    this.#alive(entry);
    this.#learn(entry, ms);
    entry.answered = true;
  }

  /** Another peer was faster, `ms` after this one was asked. */
  outrun(id: string, ms: number): void {
    const entry = this.#entry(id);
    if (ms > this.#ttfb(entry)) this.#learn(entry, ms);
  }

  /**
   * No answer in `ms`, or no connection. The peer is down until it answers a probe. If bytes of
   * another of its answers arrived meanwhile, it is only busy.
   */
  failed(id: string, ms: number): void {
    const entry = this.#entry(id);
    entry.failures++;
    this.outrun(id, ms);
    const now = this.#clock.now();
    if (now - entry.lastByteAt < ms || entry.down) return;
    entry.down = true;
    entry.probeAt = now;
  }

  /**
   * A body stalled. The peer is not even probed for a while, longer each time: a peer behind a path
   * that loses large packets would answer a probe. If bytes of another of its bodies arrived within
   * `ms`, it is only busy.
   */
  stalled(id: string, ms: number): void {
    const entry = this.#entry(id);
    entry.failures++;
    const now = this.#clock.now();
    if (now - entry.lastByteAt < ms) return;
    const { stallPauseMs, stallPauseMaxMs } = this.#options;
    entry.down = true;
    entry.probeAt = now + Math.min(stallPauseMs * 2 ** entry.stalls, stallPauseMaxMs);
    entry.stalls = Math.min(entry.stalls + 1, 30);
  }

  /** A body broke off. */
  broke(id: string): void {
    this.#entry(id).failures++;
  }

  /** Bytes arrived in so many milliseconds of waiting for them. */
  progressed(id: string, bytes: number, waitedMs: number): void {
    const entry = this.#entry(id);
    const speed = bytes * 1000 / Math.max(waitedMs, 1);
    if (speed >= ALIVE_BYTES_PER_SECOND) entry.lastByteAt = this.#clock.now();
    if (bytes >= GETS_ON_BYTES) entry.stalls = 0;
    if (waitedMs < TELLING_MS && bytes < TELLING_BYTES) return;
    entry.bytesPerSecond = entry.bytesPerSecond === undefined
      ? speed
      : entry.bytesPerSecond + ALPHA * (speed - entry.bytesPerSecond);
  }

  /** Whether a peer that is down may be probed now. */
  probeDue(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.down && entry.probeAt <= this.#clock.now();
  }

  /** A probe ended. Its success ends `down`, but only a request's success resets failures. */
  probed(id: string, alive: boolean): void {
    const entry = this.#entry(id);
    if (alive) return this.#alive(entry);
    const { probeBaseMs, probeMaxMs } = this.#options;
    const pauseMs = Math.min(probeBaseMs * 2 ** entry.probeFailures, probeMaxMs);
    entry.down = true;
    entry.probeFailures = Math.min(entry.probeFailures + 1, 30);
    entry.probeAt = this.#clock.now() + pauseMs;
  }

  /** Whether the peer sent anything recently. */
  active(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && this.#clock.now() - entry.lastByteAt < BUSY_MS;
  }

  address(id: string): string | undefined {
    return this.#entries.get(id)?.address;
  }

  reachedAt({ id, registryPort }: Peer, address: string): void {
    Object.assign(this.#entry(id), { address, port: registryPort });
  }

  snapshot(): PeerHealthReport[] {
    return [...this.#entries.entries()].map(([id, entry]) => ({
      id,
      inFlight: entry.inFlight,
      ttfbMs: entry.answered ? this.#ttfb(entry) : undefined,
      bytesPerSecond: entry.bytesPerSecond,
      failures: entry.failures,
      standing: this.standing({
        id,
        addresses: entry.address === undefined ? [] : [entry.address],
        registryPort: entry.port,
      }),
      address: entry.address,
    }));
  }

  #alive(entry: PeerEntry): void {
    entry.down = false;
    entry.probeFailures = 0;
  }

  #learn(entry: PeerEntry, ms: number): void {
    const now = this.#clock.now();
    const usual = this.#ttfb(entry);
    entry.jitterMs += ALPHA * (Math.abs(ms - usual) - entry.jitterMs);
    entry.ttfbMs = usual + ALPHA * (ms - usual);
    entry.updatedAt = now;
  }

  #ttfb(entry: PeerEntry): number {
    const kept = 0.5 ** ((this.#clock.now() - entry.updatedAt) / HALF_LIFE_MS);
    return ASSUMED_TTFB_MS + (entry.ttfbMs - ASSUMED_TTFB_MS) * kept;
  }

  #entry(id: string): PeerEntry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry = newEntry(this.#clock.now());
    this.#entries.set(id, entry);
    return entry;
  }
}

function count(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}
