import type { PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../async/deadline.ts";
import type { Cancellable, Clock, Log } from "../ports.ts";

/**
 * Pings a second, in all: the interval grows with the number of peers. Each costs both sides two
 * milliseconds of computing. A peer that is asked something and does not answer, or whose
 * connection breaks, is checked at once anyway.
 */
const MAX_PINGS_PER_SECOND = 5;
/** A peer is dead after so many failures that come at once: nobody listens there. */
const PROMPT_FAILURES_BEFORE_DEAD = 2;
/** Pause between two pings of a check, ms. */
const CHECK_PAUSE_MS = 50;
/** A peer that is merely silent may be busy, or this process is: it gets this long, ms. */
const SILENCE_BEFORE_DEAD_MS = 5000;
/** A failure within this time was not a timeout, ms. */
const PROMPT_MS = 250;
/** Lost peers that are tried again. */
const MAX_LOST = 256;
/** How long a lost peer is tried again: as long as records of it may turn up. */
const LOST_FOR_MS = 20 * 60_000;
/** First and longest time between two tries, ms. */
const RETRY_BASE_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Lost peers that are tried in one round. */
const RETRIES_A_ROUND = 4;

/** What the monitor does to peers. */
export interface PeerActions {
  /** Peers of the routing table. */
  known(): readonly PeerId[];
  /** Resolves when the peer answered; dials it if needed. */
  ping(peer: PeerId, options: Cancellable): Promise<unknown>;
  /** Where the peer can be dialled. */
  addresses(peer: PeerId): Promise<readonly Multiaddr[]>;
  /** Connects; resolves when there is a connection. */
  dial(peer: PeerId, addresses: readonly Multiaddr[], options: Cancellable): Promise<unknown>;
  /**
   * Offers peers that are connected but not in the routing table to it. The library does so once,
   * when it has identified a peer, and not again if its ping then takes too long.
   */
  offerStrangers(): Promise<void>;
  /** Removes a dead peer from the routing table and closes what is open to it, no more. */
  evict(peer: PeerId): Promise<void>;
  /** Forgets what a dead peer has told and its addresses; it is not tried again. */
  forget(peer: PeerId): Promise<void>;
}

/** Collaborators of a {@link PeerMonitor}. */
export interface PeerMonitorCollaborators {
  readonly actions: PeerActions;
  readonly clock: Clock;
  readonly log: Log;
}

/** Settings of a {@link PeerMonitor}. */
export interface PeerMonitorOptions {
  /** How often each peer is pinged, ms; longer when there are many. */
  readonly pingIntervalMs: number;
  /** How long one ping or dial may take, ms. */
  readonly pingTimeoutMs: number;
}

interface Lost {
  readonly peer: PeerId;
  readonly addresses: readonly Multiaddr[];
  readonly since: number;
  delayMs: number;
  retryAt: number;
}

/**
 * Notices peers that died or froze and removes them, which the library never does, and tries them
 * again for a while, so that a partition heals.
 */
export class PeerMonitor {
  readonly #collaborators: PeerMonitorCollaborators;
  readonly #options: PeerMonitorOptions;
  readonly #checks = new Map<string, Promise<void>>();
  readonly #suspects = new Set<string>();
  readonly #lost = new Map<string, Lost>();
  readonly #stop = new AbortController();

  constructor(collaborators: PeerMonitorCollaborators, options: PeerMonitorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Begins to ping, until {@link stop}. */
  start(): void {
    for (const run of [this.#pingAll(), this.#recover()]) {
      run.catch((error) => {
        if (this.#stop.signal.aborted) return;
        this.#collaborators.log.error("watching peers ended", { error });
      });
    }
  }

  /** Ends all checks. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
  }

  /** Tells whether a peer was found dead and has not come back. */
  isDown(id: string): boolean {
    return this.#lost.has(id);
  }

  /** Tells whether a peer has just failed to answer, and it is not clear yet whether it is dead. */
  isSuspect(id: string): boolean {
    return this.#suspects.has(id);
  }

  /** A peer failed to answer: it is suspect, and checked at once. */
  suspect(peer: PeerId): void {
    if (!this.#stop.signal.aborted) this.#suspects.add(peer.toString());
    void this.check(peer);
  }

  /** The peer is alive. */
  seen(peer: PeerId): void {
    this.#lost.delete(peer.toString());
  }

  /** Pings a peer now, and evicts it if it stays silent. Never rejects. */
  check(peer: PeerId): Promise<void> {
    const name = peer.toString();
    const running = this.#checks.get(name);
    if (running !== undefined) return running;
    if (this.#stop.signal.aborted) return Promise.resolve();
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

  /** One peer after the other, so that the work is spread. */
  async #pingAll(): Promise<void> {
    const { actions, clock } = this.#collaborators;
    const { pingIntervalMs } = this.#options;
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const count = Math.max(actions.known().length, 1);
      await clock.sleep(Math.max(pingIntervalMs / count, 1000 / MAX_PINGS_PER_SECOND), this.#stop);
      const known = actions.known();
      const peer = known[turn % Math.max(known.length, 1)];
      // A check of a silent peer takes longer than a turn: it is joined, not waited for.
      if (peer !== undefined) void this.check(peer);
    }
  }

  async #recover(): Promise<void> {
    const { actions, clock, log } = this.#collaborators;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(this.#options.pingIntervalMs, this.#stop);
      this.#retryLost();
      actions.offerStrangers().catch((error) => log.debug("a stranger has left", { error }));
    }
  }

  async #check(peer: PeerId): Promise<void> {
    const { actions, log } = this.#collaborators;
    if (await this.#answers(peer)) return;
    const addresses = await actions.addresses(peer);
    this.#lose(peer, addresses);
    await actions.evict(peer);
    log.info("peer is gone", { peer: peer.toString() });
  }

  /** Resolves with true on the first answer, or when stopped. */
  async #answers(peer: PeerId): Promise<boolean> {
    const { actions, clock, log } = this.#collaborators;
    const name = peer.toString();
    const since = clock.now();
    let prompt = 0;
    while (prompt < PROMPT_FAILURES_BEFORE_DEAD && clock.now() - since < SILENCE_BEFORE_DEAD_MS) {
      const start = clock.now();
      using limit = deadline(this.#options.pingTimeoutMs, this.#stop);
      try {
        await actions.ping(peer, limit);
        return true;
      } catch (error) {
        if (this.#stop.signal.aborted) return true;
        log.debug("peer does not answer", { peer: name, error });
      }
      this.#suspects.add(name);
      if (clock.now() - start < PROMPT_MS) prompt++;
      await clock.sleep(CHECK_PAUSE_MS, this.#stop);
    }
    return false;
  }

  #lose(peer: PeerId, addresses: readonly Multiaddr[]): void {
    const now = this.#collaborators.clock.now();
    const [oldest] = this.#lost.values();
    if (this.#lost.size >= MAX_LOST && oldest !== undefined) this.#giveUp(oldest);
    const delayMs = RETRY_BASE_MS;
    const lost = { peer, addresses, since: now, delayMs, retryAt: now + delayMs };
    this.#lost.set(peer.toString(), lost);
  }

  #giveUp({ peer }: Lost): void {
    this.#lost.delete(peer.toString());
    this.#collaborators.actions.forget(peer).catch((error) => {
      this.#collaborators.log.warn("forgetting a peer failed", { peer: peer.toString(), error });
    });
  }

  #retryLost(): void {
    const now = this.#collaborators.clock.now();
    for (const lost of this.#lost.values()) if (now - lost.since > LOST_FOR_MS) this.#giveUp(lost);
    const due = [...this.#lost.values()].filter(({ retryAt }) => retryAt <= now);
    for (const lost of due.slice(0, RETRIES_A_ROUND)) {
      this.#retry(lost).catch((error) => {
        this.#collaborators.log.warn("trying a lost peer again failed", { error });
      });
    }
  }

  async #retry(lost: Lost): Promise<void> {
    const { actions, clock, log } = this.#collaborators;
    lost.delayMs = Math.min(lost.delayMs * 2, RETRY_MAX_MS);
    lost.retryAt = clock.now() + lost.delayMs;
    using limit = deadline(this.#options.pingTimeoutMs, this.#stop);
    try {
      await actions.dial(lost.peer, lost.addresses, limit);
      this.seen(lost.peer);
      log.info("peer is back", { peer: lost.peer.toString() });
    } catch (error) {
      log.debug("lost peer is still gone", { peer: lost.peer.toString(), error });
    }
  }
}
