import { backoff } from "../../async/backoff.ts";
import { deadline } from "../../async/deadline.ts";
import { messageOf } from "../../async/thrown.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { IpPort } from "../libp2p/address.ts";
import { shuffle } from "./shuffle.ts";
import type { BootstrapPeer, Bootstrapper } from "./bootstrapper.ts";

/** Deadlines of reading the list, and of dialling one of its peers, ms. */
const GET_TIMEOUT_MS = 5000;
const DIAL_TIMEOUT_MS = 2000;
/** Peers of a list considered per round, and dialled, chosen at random. */
const MAX_CONSIDERED = 64;
const MAX_DIALLED = 6;
/** Delays between rounds while no peer is known, ms. */
const RETRY = { baseMs: 50, maxMs: 10_000 };
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

export interface BootstrapLoopCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly bootstrapper: Bootstrapper;
  /** Connects to a peer. Does not reject. */
  readonly dial: (target: DialTarget, options: Cancellable) => Promise<DialOutcome>;
  /** Tells whether a target is this node, or a known peer. */
  readonly skip: (target: DialTarget) => boolean;
  /** Number of peers in the routing table. */
  readonly peerCount: () => number;
  /** Port of this node's router, the default for addresses without one. */
  readonly routerPort: () => number;
}

/** Finds the first peers, and new ones after all are lost or from time to time. */
export class BootstrapLoop {
  readonly #collaborators: BootstrapLoopCollaborators;
  #completed = false;
  /** Why reading the list failed last; empty if it succeeded. */
  #failure = "";
  #wake = new AbortController();

  constructor(collaborators: BootstrapLoopCollaborators) {
    this.#collaborators = collaborators;
  }

  /** True once the first round is over, successful or not. */
  get completed(): boolean {
    return this.#completed;
  }

  /** Starts the next round now, e.g. after the last peer was lost. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal aborts; then rejects with its reason. */
  async run(options: Cancellable): Promise<never> {
    const { peerCount } = this.#collaborators;
    let delays = backoff(RETRY);
    while (true) {
      options.signal.throwIfAborted();
      await this.#round(options);
      this.#completed = true;
      const count = peerCount();
      if (count > 0) delays = backoff(RETRY);
      const steady = count > FEW_PEERS ? MANY_INTERVAL_MS : FEW_INTERVAL_MS;
      const delay = count === 0 ? delays.next().value : steady * (1 + Math.random() / 2);
      await this.#sleep(delay, options);
    }
  }

  async #round(options: Cancellable): Promise<void> {
    const { bootstrapper, dial, skip, log } = this.#collaborators;
    let listed: BootstrapPeer[];
    try {
      using limit = deadline(GET_TIMEOUT_MS, options);
      listed = await bootstrapper.get(limit);
      this.#failure = "";
    } catch (error) {
      options.signal.throwIfAborted();
      // Logged once, though every round retries.
      const failure = messageOf(error);
      const level = failure === this.#failure ? "debug" : "warn";
      this.#failure = failure;
      log[level]("bootstrap peers cannot be learned", { error });
      return;
    }
    const targets = shuffle(listed).slice(0, MAX_CONSIDERED)
      .map((peer) => this.#toTarget(peer)).filter((target) => !skip(target));
    const outcomes = await Promise.all(
      targets.slice(0, MAX_DIALLED).map((target) => this.#dial(dial, target, options)),
    );
    const connected = outcomes.filter((outcome) => outcome === "connected").length;
    const failed = outcomes.filter((outcome) => outcome === "failed").length;
    log.debug("bootstrap round is over", { listed: listed.length, connected, failed });
    if (connected > 0) await this.#settle(options);
  }

  async #dial(
    dial: BootstrapLoopCollaborators["dial"],
    target: DialTarget,
    options: Cancellable,
  ): Promise<DialOutcome> {
    using limit = deadline(DIAL_TIMEOUT_MS, options);
    return await dial(target, limit);
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
    this.#wake = new AbortController();
    const signal = AbortSignal.any([options.signal, this.#wake.signal]);
    try {
      await this.#collaborators.clock.sleep(ms, { signal });
    } catch (error) {
      if (options.signal.aborted) throw error;
    }
  }
}
