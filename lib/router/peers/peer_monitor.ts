import type { PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";

/** Pings per second, in total: the interval grows with the number of peers. */
const MAX_PINGS_PER_SECOND = 20;
/** Consecutive failed connections after which a peer is dead. */
const REFUSALS_BEFORE_DEAD = 2;
/**
 * How long a peer may stay silent while its host accepts connections, ms: the peer or this process
 * is busy, or the peer is frozen. Dropping a slow peer costs both sides more than waiting.
 */
const SILENCE_BEFORE_DEAD_MS = 6000;
/** Interval of checks of a silent peer, ms. */
const CHECK_MS = 100;
/** Maximum lost peers that are retried. */
const MAX_LOST = 256;
/** How long a lost peer is retried, ms: as long as records of it may turn up. */
const LOST_FOR_MS = 20 * 60_000;
/**
 * A lost peer is retried after a quarter of the time since it was lost, within these limits, ms:
 * often during what may be a short outage. A retry is cheap while nothing listens there.
 */
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;
/** Lost peers retried per round. */
const RETRIES_PER_ROUND = 8;

/** The monitor's actions on peers. */
export interface PeerActions {
  /** Peers of the routing table. */
  known(): readonly PeerId[];
  /** Resolves when the peer answers; dials it if needed. */
  ping(peer: PeerId, options: Cancellable): Promise<unknown>;
  /** Tells whether the peer accepts a TCP connection. Does not reject. */
  takesConnections(peer: PeerId): Promise<boolean>;
  /** Dialable addresses of the peer. */
  addresses(peer: PeerId): Promise<readonly Multiaddr[]>;
  /** Connects to the peer. */
  dial(peer: PeerId, addresses: readonly Multiaddr[], options: Cancellable): Promise<unknown>;
  /**
   * Offers connected peers that are not in the routing table to it. The library does so once, after
   * identify, and not again if its ping then times out.
   */
  offerConnected(): Promise<void>;
  /** Removes a dead peer from the routing table and closes its connections. */
  evict(peer: PeerId): Promise<void>;
  /** Deletes the records of a dead peer, which is no longer retried. */
  forget(peer: PeerId): void;
}

export interface PeerMonitorCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly actions: PeerActions;
}

export interface PeerMonitorOptions {
  /** Interval at which each peer is pinged, ms; longer with many peers. */
  readonly pingIntervalMs: number;
  /** Time after which an unanswered ping makes its peer suspect, and a dial has failed, ms. */
  readonly pingTimeoutMs: number;
}

interface Lost {
  readonly peer: PeerId;
  readonly addresses: readonly Multiaddr[];
  readonly since: number;
  retryAt: number;
}

/**
 * Detects dead and frozen peers and removes them, which the library never does, and retries them
 * for a while, so that a partition heals.
 */
export class PeerMonitor {
  readonly #collaborators: PeerMonitorCollaborators;
  readonly #options: PeerMonitorOptions;
  readonly #checks = new Map<string, Promise<void>>();
  readonly #suspects = new Set<string>();
  readonly #lost = new Map<string, Lost>();
  readonly #stop = new AbortController();
  #loss = new AbortController();

  constructor(collaborators: PeerMonitorCollaborators, options: PeerMonitorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Starts pinging, until {@link stop}. */
  start(): void {
    for (const run of [this.#run(), this.#recover()]) {
      run.catch((error) => {
        if (this.#stop.signal.aborted) return;
        this.#collaborators.log.error("watching peers ended", { error });
      });
    }
  }

  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
  }

  /** Tells whether a peer is dead and has not returned. */
  isDown(id: string): boolean {
    return this.#lost.has(id);
  }

  /** Tells whether a peer does not answer, and may be dead. */
  isSuspect(id: string): boolean {
    return this.#suspects.has(id);
  }

  /** Reports an unanswered request: the peer is suspect, and checked at once. */
  suspect(peer: PeerId): void {
    if (this.#stop.signal.aborted || this.isDown(peer.toString())) return;
    this.#suspects.add(peer.toString());
    void this.check(peer);
  }

  /** Reports a sign of life. */
  seen(peer: PeerId): void {
    this.#lost.delete(peer.toString());
  }

  /** Pings a peer now, and evicts it if it is dead. Never rejects. */
  check(peer: PeerId): Promise<void> {
    const name = peer.toString();
    const running = this.#checks.get(name);
    if (running !== undefined) return running;
    if (this.#stop.signal.aborted || this.isDown(name)) return Promise.resolve();
    const check = this.#check(peer).catch((error) => {
      if (this.#stop.signal.aborted) return;
      this.#collaborators.log.warn("checking a peer failed", { peer: name, error });
    }).finally(() => {
      this.#checks.delete(name);
      this.#suspects.delete(name);
    });
    this.#checks.set(name, check);
    return check;
  }

  async #run(): Promise<void> {
    const { actions, clock, log } = this.#collaborators;
    while (!this.#stop.signal.aborted) {
      const known = actions.known();
      const interval = Math.max(
        this.#options.pingIntervalMs,
        known.length * 1000 / MAX_PINGS_PER_SECOND,
      );
      // One after the other, to spread the work; a slow check is not awaited.
      for (const peer of known) {
        await clock.sleep(interval / known.length, this.#stop);
        void this.check(peer);
      }
      if (known.length === 0) await clock.sleep(interval, this.#stop);
      actions.offerConnected().catch((error) =>
        log.debug("offering a peer to the routing table failed", { error })
      );
    }
  }

  async #check(peer: PeerId): Promise<void> {
    const { actions, log } = this.#collaborators;
    const name = peer.toString();
    if (await this.#answers(peer)) return;
    const addresses = await actions.addresses(peer);
    this.#lose(peer, addresses);
    await actions.evict(peer);
    log.info("peer is gone", { peer: name });
  }

  /** Resolves with false as soon as the peer is known to be dead; with true when stopped. */
  async #answers(peer: PeerId): Promise<boolean> {
    const { actions, log } = this.#collaborators;
    const name = peer.toString();
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#stop.signal]);
    try {
      return await Promise.race([
        // No deadline: a late answer counts.
        this.#ping(peer, { signal }),
        this.#silence(name, () => actions.takesConnections(peer), { signal }),
      ]);
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        log.debug("checking a peer was interrupted", { peer: name, error });
      }
      return true;
    } finally {
      done.abort();
    }
  }

  /** Resolves with true when a ping is answered; failed pings are repeated. */
  async #ping(peer: PeerId, options: Cancellable): Promise<boolean> {
    const { actions, clock, log } = this.#collaborators;
    while (true) {
      try {
        await actions.ping(peer, options);
        return true;
      } catch (error) {
        options.signal.throwIfAborted();
        log.debug("peer does not answer", { peer: peer.toString(), error });
        this.#suspects.add(peer.toString());
        await clock.sleep(CHECK_MS, options);
      }
    }
  }

  /** Resolves with false when the peer has been silent long enough to be dead. */
  async #silence(
    name: string,
    takesConnections: () => Promise<boolean>,
    options: Cancellable,
  ): Promise<boolean> {
    const { clock } = this.#collaborators;
    const { pingTimeoutMs } = this.#options;
    for (let silentMs = 0, refusals = 0; silentMs < SILENCE_BEFORE_DEAD_MS; silentMs += CHECK_MS) {
      // Counts steps, not clock time: the peer is not to blame for pauses of this process.
      await clock.sleep(CHECK_MS, options);
      if (silentMs >= pingTimeoutMs) this.#suspects.add(name);
      if (!this.#suspects.has(name)) continue;
      refusals = await takesConnections() ? 0 : refusals + 1;
      if (refusals >= REFUSALS_BEFORE_DEAD) return false;
    }
    return false;
  }

  #lose(peer: PeerId, addresses: readonly Multiaddr[]): void {
    const now = this.#collaborators.clock.now();
    const [oldest] = this.#lost.values();
    if (this.#lost.size >= MAX_LOST && oldest !== undefined) this.#giveUp(oldest);
    const lost = { peer, addresses, since: now, retryAt: now + RETRY_MIN_MS };
    this.#lost.set(peer.toString(), lost);
    this.#loss.abort();
  }

  #giveUp({ peer }: Lost): void {
    this.#lost.delete(peer.toString());
    this.#collaborators.actions.forget(peer);
  }

  async #recover(): Promise<void> {
    const { clock, log } = this.#collaborators;
    while (!this.#stop.signal.aborted) {
      await this.#sleepUntilDue();
      const now = clock.now();
      for (const lost of this.#lost.values()) {
        if (now - lost.since > LOST_FOR_MS) this.#giveUp(lost);
      }
      const due = [...this.#lost.values()].filter(({ retryAt }) => retryAt <= now);
      for (const lost of due.slice(0, RETRIES_PER_ROUND)) {
        this.#retry(lost).catch((error) => log.warn("trying a lost peer again failed", { error }));
      }
    }
  }

  /** Sleeps until the next retry is due, or another peer is lost; at least a moment. */
  async #sleepUntilDue(): Promise<void> {
    const { clock } = this.#collaborators;
    await clock.sleep(RETRY_MIN_MS, this.#stop);
    this.#loss = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, this.#loss.signal]);
    const next = Math.min(...[...this.#lost.values()].map(({ retryAt }) => retryAt));
    const wait = Math.min(next - clock.now(), LOST_FOR_MS);
    if (wait > 0) {
      await clock.sleep(wait, { signal }).catch(() => this.#stop.signal.throwIfAborted());
    }
  }

  async #retry(lost: Lost): Promise<void> {
    const { actions, clock, log } = this.#collaborators;
    const now = clock.now();
    const { pingTimeoutMs } = this.#options;
    const quarter = Math.min((now - lost.since) / 4, RETRY_MAX_MS);
    lost.retryAt = now + Math.max(quarter, RETRY_MIN_MS, pingTimeoutMs);
    using limit = deadline(pingTimeoutMs, this.#stop);
    try {
      await actions.dial(lost.peer, lost.addresses, limit);
      this.seen(lost.peer);
      log.info("peer is back", { peer: lost.peer.toString() });
    } catch (error) {
      log.debug("lost peer is still gone", { peer: lost.peer.toString(), error });
    }
  }
}
