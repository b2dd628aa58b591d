import { LRUCache } from "lru-cache";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { PenaltyBox } from "./penalty_box.ts";
import type { MirrorOptions } from "../options.ts";
import { ASSUMED_TTFB_MS, newEntry, type PeerEntry } from "./peer_entry.ts";

/** What is known of a peer, for a page to look at. */
export interface PeerHealthReport {
  readonly id: string;
  /** Requests and bodies under way. */
  readonly inFlight: number;
  /** Usual time to headers, ms; undefined if it never answered. */
  readonly ttfbMs: number | undefined;
  /** Usual speed of one body; undefined if there was none. */
  readonly bytesPerSecond: number | undefined;
  /** Failures since it last answered a request. */
  readonly failures: number;
  /** `down`: not asked before it answers a probe. `shunned`: sent wrong content, not asked. */
  readonly standing: Standing;
  /** Address that worked last. */
  readonly address: string | undefined;
}

export type Standing = "good" | "down" | "shunned";

/** After this time half of what was learned of a peer's delay is forgotten. */
const HALF_LIFE_MS = 30_000;
/** Weight of a new sample. */
const ALPHA = 0.25;
/** Slower than this is no sign of life. */
const ALIVE_BYTES_PER_SECOND = 1024;
/** After so many bytes of one body a peer counts as one whose bodies get on. */
const GETS_ON_BYTES = 64 * 1024;
/** So short a wait for so few bytes tells nothing of a peer's speed. */
const TELLING_MS = 10;
const TELLING_BYTES = 1024 * 1024;
/** A peer that sent bytes within this time is alive: no probe is needed to tell. */
const BUSY_MS = 1000;
/** A peer that says that it has too much to do is left alone for so long. */
const BUSY_PAUSE_MS = 50;
/** Speed from which on a peer is not preferred for being faster. */
const FAST_BYTES_PER_SECOND = 100e6;

/** What {@link PeerHealth} works with. */
export interface PeerHealthCollaborators {
  readonly clock: Pick<Clock, "now">;
  readonly penalties: Pick<PenaltyBox, "isShunned">;
}

/** Health and load of peers: who is asked first, who not at all. Bounded, forgets the eldest. */
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

  /** The lower, the better a choice. Unitless; grows with load, delay, slowness and failures. */
  cost(id: string): number {
    const entry = this.#entries.get(id);
    if (entry === undefined) return 2 * ASSUMED_TTFB_MS;
    const speed = entry.bytesPerSecond ?? FAST_BYTES_PER_SECOND;
    const slowness = Math.min(Math.max(FAST_BYTES_PER_SECOND / Math.max(speed, 1), 1), 8);
    return (entry.inFlight + 1) * (this.#ttfb(entry) + ASSUMED_TTFB_MS) * slowness *
      (1 + Math.min(entry.failures, 7));
  }

  /** Milliseconds after which this peer's answer is later than it usually is (about its p90). */
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
   * @param stream what is to be asked for, if it is not to be asked for twice without need.
   * @param again there is need: it may be asked for by so many at the same time as options say.
   */
  free(id: string, stream: string, again = false): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return true;
    const { maxPerPeer, maxCopies } = this.#options;
    return entry.inFlight < maxPerPeer && entry.busyUntil <= this.#clock.now() &&
      (entry.streams.get(stream) ?? 0) < (again ? maxCopies : 1);
  }

  /** Resolves when a request ends next, at whichever peer. */
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

  /** It said that it has too much to do. */
  busy(id: string): void {
    this.#entry(id).busyUntil = this.#clock.now() + BUSY_PAUSE_MS;
  }

  /** Headers arrived, whatever they say. */
  answered(id: string, ms: number): void {
    const entry = this.#entry(id);
    entry.failures = 0;
    this.#alive(entry);
    this.#learn(entry, ms);
    entry.answered = true;
  }

  /** Another was faster while this one had been asked for so long. */
  outrun(id: string, ms: number): void {
    const entry = this.#entry(id);
    if (ms > this.#ttfb(entry)) this.#learn(entry, ms);
  }

  /**
   * No answer in `ms`, or no connection. Down until it answers a probe, unless bytes of another
   * answer of its arrived meanwhile: then it is busy.
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
   * A body stood still for too long. The peer is not even probed for a while, longer each time: it
   * may well answer a probe, as one behind a path that loses large packets does. Unless bytes of
   * another body of its arrived within `ms`: then it is busy.
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

  /** A probe ended. Its success lifts `down`, yet only a request's success clears failures. */
  probed(id: string, alive: boolean): void {
    const entry = this.#entry(id);
    if (alive) return this.#alive(entry);
    const { probeBaseMs, probeMaxMs } = this.#options;
    const pauseMs = Math.min(probeBaseMs * 2 ** entry.probeFailures, probeMaxMs);
    entry.down = true;
    entry.probeFailures = Math.min(entry.probeFailures + 1, 30);
    entry.probeAt = this.#clock.now() + pauseMs;
  }

  /** Whether the peer sent anything of late. */
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
