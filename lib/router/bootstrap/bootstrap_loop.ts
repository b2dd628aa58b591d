import type { LRUCache } from "lru-cache";
import { backoff } from "../../async/backoff.ts";
import { deadline } from "../../async/deadline.ts";
import { expiringCache } from "../../async/expiring_cache.ts";
import { messageOf } from "../../async/thrown.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { IpPort } from "../libp2p/address.ts";
import { shuffle } from "./shuffle.ts";
import type { BootstrapPeer, Bootstrapper } from "./bootstrapper.ts";
import type { LastPeers } from "./last_peers.ts";

/** Deadlines of reading the list, and of dialling one of its peers, ms. */
const GET_TIMEOUT_MS = 5000;
const DIAL_TIMEOUT_MS = 2000;
/** Peers of a list considered per round, and dialled, chosen at random. */
const MAX_CONSIDERED = 64;
const MAX_DIALLED = 6;
/** How long peers of the list are dialled before those of an earlier run are, too, ms. */
const LIST_FIRST_MS = 500;
/** How long an address is remembered to lead to this node, ms, and how many are. */
const SELF_MS = 60_000;
const MAX_SELVES = 64;
/** Delays between rounds while no peer is known, or one that is listed does not answer, ms. */
const RETRY = { baseMs: 50, maxMs: 3000 };
/** Time after which that is no longer passing, ms: DNS names pods that are gone for 30 s or so. */
const PASSING_MS = 2 * 60_000;
/** Delays from then on while no peer is known, ms. */
const ALONE_INTERVAL_MS = 10_000;
/**
 * Interval of rounds, plus up to half of it as jitter, with at most this many peers and with more.
 */
const FEW_PEERS = 3;
const FEW_INTERVAL_MS = 60_000;
const MANY_INTERVAL_MS = 10 * 60_000;
/** How long a connected peer may take to enter the routing table, ms: two short exchanges. */
const SETTLE_MS = 1000;
const SETTLE_STEP_MS = 20;

/** A peer to dial; every address has a port. */
export interface DialTarget {
  readonly id?: string;
  readonly addresses: readonly IpPort[];
}

/** Result of a dial. */
export type DialOutcome = "connected" | "self" | "failed";

interface Dialled {
  readonly target: DialTarget;
  readonly outcome: DialOutcome;
}

/** The list, whom of it to dial, and what came of it. */
interface Round {
  readonly listed: readonly BootstrapPeer[] | undefined;
  readonly targets: readonly DialTarget[];
  readonly outcomes: readonly Dialled[];
}

export interface BootstrapLoopCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly bootstrapper: Bootstrapper;
  /** Peers of an earlier run, dialled if those of the list do not answer at once. */
  readonly lastPeers: Pick<LastPeers, "peers" | "wasOwn" | "forget">;
  /** Connects to a peer. Does not reject. */
  readonly dial: (target: DialTarget, options: Cancellable) => Promise<DialOutcome>;
  /** Tells whether a target is this node, or a known peer. */
  readonly skip: (target: DialTarget) => boolean;
  /** Number of peers in the routing table. */
  readonly peerCount: () => number;
  /** Port of this node's router, the default for addresses without one. */
  readonly routerPort: () => number;
  /** Called after each round, whether it found anybody or not. */
  readonly onRound: () => void;
}

/** Finds the first peers, and new ones after all are lost or from time to time. */
export class BootstrapLoop {
  readonly #collaborators: BootstrapLoopCollaborators;
  #alone = false;
  /** Why reading the list failed last; empty if it succeeded. */
  #failure = "";
  /** Time since when no peer is known, or a listed one does not answer. */
  #missingSince: number | undefined;
  #delays = backoff(RETRY);
  #wake = new AbortController();
  /** Targets that led to this node. */
  readonly #selves: LRUCache<string, true>;

  constructor(collaborators: BootstrapLoopCollaborators) {
    this.#collaborators = collaborators;
    const { clock } = collaborators;
    this.#selves = expiringCache(clock, { max: MAX_SELVES, ttlMs: SELF_MS });
  }

  /**
   * True if, in the last round, the list named nobody but this node; or if it named nobody at all or
   * could not be read, and there are no peers of an earlier run.
   */
  get alone(): boolean {
    return this.#alone;
  }

  /** Starts the next round now, e.g. after the last peer was lost. */
  wake(): void {
    this.#nothingMissing();
    this.#wake.abort();
  }

  /** Runs until the signal aborts; then rejects with its reason. */
  async run(options: Cancellable): Promise<never> {
    while (true) {
      options.signal.throwIfAborted();
      // New for each round: who wakes the loop during one wants another.
      this.#wake = new AbortController();
      const isComplete = await this.#round(options);
      this.#collaborators.onRound();
      await this.#sleep(this.#delay(isComplete), options);
    }
  }

  /** @param isComplete whether all that the list names are reached. */
  #delay(isComplete: boolean): number {
    const { peerCount, clock } = this.#collaborators;
    const count = peerCount();
    if (count > 0 && isComplete) this.#nothingMissing();
    else {
      this.#missingSince ??= clock.now();
      if (clock.now() - this.#missingSince < PASSING_MS) return this.#delays.next().value;
    }
    if (count === 0) return ALONE_INTERVAL_MS * (1 + Math.random()) / 2;
    const steady = count > FEW_PEERS ? MANY_INTERVAL_MS : FEW_INTERVAL_MS;
    return steady * (1 + Math.random() / 2);
  }

  #nothingMissing(): void {
    this.#missingSince = undefined;
    this.#delays = backoff(RETRY);
  }

  /** @returns whether all are reached that the list names, as far as they were dialled. */
  async #round(options: Cancellable): Promise<boolean> {
    const { skip, peerCount, lastPeers, log } = this.#collaborators;
    const last = peerCount() > 0 ? [] : lastPeers.peers.filter((target) => !skip(target));
    const reading = this.#dialListed(options);
    const [fromLast, { listed, targets, outcomes }] = await Promise.all([
      this.#dialLast(last, reading, options),
      reading,
    ]);
    const count = (wanted: DialOutcome, from = outcomes) =>
      from.filter(({ outcome }) => outcome === wanted).length;
    const connected = count("connected") + count("connected", fromLast);
    const failed = count("failed");
    log.debug("bootstrap round is over", { listed: listed?.length, connected, failed });
    if (connected > 0) await this.#settle(options);
    // A list that is out of date names this node's former addresses.
    const isSelf = ({ target, outcome }: Dialled) =>
      outcome === "self" || (outcome === "failed" && lastPeers.wasOwn(target.addresses));
    const namesNobody = listed === undefined || listed.length === 0;
    this.#alone = connected === 0 && peerCount() === 0 && !(namesNobody && last.length > 0) &&
      targets.length <= MAX_DIALLED && outcomes.every(isSelf);
    return listed !== undefined && failed === 0;
  }

  async #dialListed(options: Cancellable): Promise<Round> {
    const { skip } = this.#collaborators;
    const listed = await this.#read(options);
    const targets = shuffle(listed ?? []).slice(0, MAX_CONSIDERED)
      .map((peer) => this.#toTarget(peer))
      .filter((target) => !skip(target) && !this.#selves.has(JSON.stringify(target)));
    const outcomes = await this.#dialSome(targets, options);
    for (const { target, outcome } of outcomes) {
      if (outcome === "self") this.#selves.set(JSON.stringify(target), true);
    }
    return { listed, targets, outcomes };
  }

  /**
   * Dials peers of an earlier run, unless one of the list is known at once: then they are forgotten,
   * since they may be of another cluster whose source has the same name.
   */
  async #dialLast(
    last: readonly DialTarget[],
    reading: Promise<Round>,
    options: Cancellable,
  ): Promise<Dialled[]> {
    if (last.length === 0) return [];
    const { clock, lastPeers, peerCount } = this.#collaborators;
    const isListed = reading.then(({ outcomes }) =>
      outcomes.some(({ outcome }) => outcome === "connected")
    );
    const enough = new AbortController();
    const signal = AbortSignal.any([options.signal, enough.signal]);
    const late = clock.sleep(LIST_FIRST_MS, { signal }).catch(() => {});
    const isFirst = await Promise.race([isListed, late]).finally(() => enough.abort());
    if (isFirst) await this.#settle(options);
    if (peerCount() > 0) {
      lastPeers.forget();
      return [];
    }
    return await this.#dialSome(shuffle(last), options);
  }

  /** The list; undefined if it cannot be read. */
  async #read(options: Cancellable): Promise<BootstrapPeer[] | undefined> {
    const { bootstrapper, log } = this.#collaborators;
    try {
      using limit = deadline(GET_TIMEOUT_MS, options);
      const listed = await bootstrapper.get(limit);
      this.#failure = "";
      return listed;
    } catch (error) {
      options.signal.throwIfAborted();
      // Logged once, though every round retries.
      const failure = messageOf(error);
      const level = failure === this.#failure ? "debug" : "warn";
      this.#failure = failure;
      log[level]("bootstrap peers cannot be learned", { error });
      return undefined;
    }
  }

  async #dialSome(targets: readonly DialTarget[], options: Cancellable): Promise<Dialled[]> {
    return await Promise.all(
      targets.slice(0, MAX_DIALLED).map(async (target) => ({
        target,
        outcome: await this.#dial(target, options),
      })),
    );
  }

  async #dial(target: DialTarget, options: Cancellable): Promise<DialOutcome> {
    using limit = deadline(DIAL_TIMEOUT_MS, options);
    return await this.#collaborators.dial(target, limit);
  }

  async #settle(options: Cancellable): Promise<void> {
    const { clock, peerCount } = this.#collaborators;
    const until = clock.now() + SETTLE_MS;
    while (peerCount() === 0 && clock.now() < until) await clock.sleep(SETTLE_STEP_MS, options);
  }

  #toTarget({ id, addresses }: BootstrapPeer): DialTarget {
    const ownPort = this.#collaborators.routerPort();
    const complete = addresses.map(({ ip, port = ownPort }) => ({ ip, port }));
    return { addresses: complete, ...(id === undefined ? {} : { id }) };
  }

  async #sleep(ms: number, options: Cancellable): Promise<void> {
    const signal = AbortSignal.any([options.signal, this.#wake.signal]);
    try {
      await this.#collaborators.clock.sleep(ms, { signal });
    } catch (error) {
      if (options.signal.aborted) throw error;
    }
  }
}
