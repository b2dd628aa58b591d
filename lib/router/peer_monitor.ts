import type { PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../async/deadline.ts";
import type { Cancellable, Clock, Log } from "../ports.ts";

/** Pings a second, in all: the interval grows with the number of peers. */
const MAX_PINGS_PER_SECOND = 20;
/** A single lost ping proves nothing: the peer, or this process, may have been busy. */
const PINGS_BEFORE_DEAD = 2;
/** Lost peers that are tried again. */
const MAX_LOST = 256;
/** How long a lost peer is tried again: as long as records of it may turn up. */
const LOST_FOR_MS = 20 * 60_000;
/** First and longest time between two tries, ms. */
const RETRY_BASE_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Lost peers that are tried in one round. */
const RETRIES_A_ROUND = 8;

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
  /** Forgets the peer: connections, routing table, addresses, its records. */
  evict(peer: PeerId): Promise<void>;
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
  readonly #lost = new Map<string, Lost>();
  readonly #stop = new AbortController();

  constructor(collaborators: PeerMonitorCollaborators, options: PeerMonitorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Begins to ping, until {@link stop}. */
  start(): void {
    this.#run().catch((error) => {
      if (this.#stop.signal.aborted) return;
      this.#collaborators.log.error("watching peers ended", { error });
    });
  }

  /** Ends all checks. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
  }

  /** Tells whether a peer was found dead and has not come back. */
  isDown(id: string): boolean {
    return this.#lost.has(id);
  }

  /** The peer is alive. */
  seen(peer: PeerId): void {
    this.#lost.delete(peer.toString());
  }

  /** Pings a peer now, and evicts it if it does not answer. Never rejects. */
  check(peer: PeerId): Promise<void> {
    const name = peer.toString();
    const running = this.#checks.get(name);
    if (running !== undefined) return running;
    if (this.#stop.signal.aborted) return Promise.resolve();
    const check = this.#check(peer).catch((error) => {
      if (this.#stop.signal.aborted) return;
      this.#collaborators.log.warn("checking a peer failed", { peer: name, error });
    }).finally(() => this.#checks.delete(name));
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
      await clock.sleep(interval, this.#stop);
      await Promise.all([
        ...known.map((peer) => this.check(peer)),
        this.#retryLost(),
        actions.offerStrangers().catch((error) => log.debug("a stranger has left", { error })),
      ]);
    }
  }

  async #check(peer: PeerId): Promise<void> {
    const { actions, log } = this.#collaborators;
    const name = peer.toString();
    for (let left = PINGS_BEFORE_DEAD; left > 0; left--) {
      using limit = deadline(this.#options.pingTimeoutMs, this.#stop);
      try {
        await actions.ping(peer, limit);
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.debug("peer does not answer", { peer: name, error });
      }
    }
    const addresses = await actions.addresses(peer);
    this.#lose(peer, addresses);
    await actions.evict(peer);
    log.info("peer is gone", { peer: name });
  }

  #lose(peer: PeerId, addresses: readonly Multiaddr[]): void {
    const now = this.#collaborators.clock.now();
    const [oldest] = this.#lost.keys();
    if (this.#lost.size >= MAX_LOST && oldest !== undefined) this.#lost.delete(oldest);
    const delayMs = RETRY_BASE_MS;
    const lost = { peer, addresses, since: now, delayMs, retryAt: now + delayMs };
    this.#lost.set(peer.toString(), lost);
  }

  async #retryLost(): Promise<void> {
    const now = this.#collaborators.clock.now();
    for (const [name, { since }] of this.#lost) {
      if (now - since > LOST_FOR_MS) this.#lost.delete(name);
    }
    const due = [...this.#lost.values()].filter(({ retryAt }) => retryAt <= now);
    await Promise.all(due.slice(0, RETRIES_A_ROUND).map((lost) => this.#retry(lost)));
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
