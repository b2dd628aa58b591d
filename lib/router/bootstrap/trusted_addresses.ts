import { deadline } from "../../async/deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { canonicalIp } from "../../net/ip.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { BootstrapPeer, Bootstrapper, BootstrapSelf } from "./bootstrapper.ts";

/** Addresses that are remembered: those of 8,000 nodes with two families. */
const MAX_ADDRESSES = 16_384;
/** How long an address counts after an answer that lacks it, ms: answers are cut and vary. */
const KEPT_MS = 5 * 60_000;
/** Between two questions at {@link TrustedAddresses.refresh}; doubles while they bring nothing new, ms. */
const PAUSE = { minMs: 10_000, maxMs: 5 * 60_000 };
/** Time for such a question, ms. */
const ASK_TIMEOUT_MS = 3000;

/** What {@link TrustedAddresses} works with. */
export interface TrustedAddressesCollaborators {
  /** Tells with which peers to begin, and thereby whom the operator named. */
  readonly bootstrapper: Bootstrapper;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/**
 * A bootstrapper that remembers the addresses that its source names. A source that cannot be asked
 * changes nothing; an address that it does not name any more counts for a while.
 */
export class TrustedAddresses implements Bootstrapper {
  readonly #collaborators: TrustedAddressesCollaborators;
  readonly #stop = new AbortController();
  /** Canonical address to the time until which it counts: for ever, if the last answer has it. */
  readonly #until = new Map<string, number>();
  #askedAt = -Infinity;
  #pauseMs = PAUSE.minMs;
  #asking: Promise<void> | undefined;

  constructor(collaborators: TrustedAddressesCollaborators) {
    this.#collaborators = collaborators;
  }

  /** {@inheritDoc Bootstrapper.start} */
  async start(self: BootstrapSelf): Promise<void> {
    await this.#collaborators.bootstrapper.start?.(self);
  }

  /** {@inheritDoc Bootstrapper.get} */
  async get(options: Cancellable): Promise<BootstrapPeer[]> {
    const peers = await this.#collaborators.bootstrapper.get(options);
    if (this.#remember(peers)) this.#pauseMs = PAUSE.minMs;
    return peers;
  }

  /** {@inheritDoc Bootstrapper.deaf} */
  deaf(): boolean {
    return this.#collaborators.bootstrapper.deaf?.() ?? false;
  }

  /** {@inheritDoc Bootstrapper.stop} */
  async stop(): Promise<void> {
    this.#stop.abort(new DOMException("bootstrap is stopped", "AbortError"));
    await this.#collaborators.bootstrapper.stop?.();
  }

  /** Tells whether the source names an IP address, or did so a short while ago. */
  isTrusted(address: string): boolean {
    const until = this.#until.get(canonicalIp(address));
    return until !== undefined && until > this.#collaborators.clock.now();
  }

  /**
   * Asks the source again, unless that was done a moment ago, or in vain some minutes ago. Does not
   * reject; the signal only ends the waiting.
   */
  async refresh({ signal }: Cancellable): Promise<void> {
    const { clock } = this.#collaborators;
    if (this.#asking === undefined && clock.now() - this.#askedAt >= this.#pauseMs) {
      this.#askedAt = clock.now();
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE.maxMs);
      this.#asking = this.#ask().finally(() => this.#asking = undefined);
    }
    if (this.#asking !== undefined) await untilAborted(this.#asking, signal).catch(() => {});
  }

  async #ask(): Promise<void> {
    using limit = deadline(ASK_TIMEOUT_MS, this.#stop);
    try {
      await untilAborted(this.get(limit), limit.signal);
    } catch (error) {
      this.#collaborators.log.debug("who is named by bootstrap cannot be learned", { error });
    }
  }

  /** @returns whether any address is new. */
  #remember(peers: readonly BootstrapPeer[]): boolean {
    const now = this.#collaborators.clock.now();
    const named = new Set(
      peers.filter(({ unverified }) => unverified !== true)
        .flatMap(({ addresses }) => addresses.map(({ ip }) => canonicalIp(ip)))
        .slice(0, MAX_ADDRESSES),
    );
    for (const [address, until] of this.#until) {
      if (named.has(address)) continue;
      if (until === Infinity) this.#until.set(address, now + KEPT_MS);
      else if (until <= now) this.#until.delete(address);
    }
    const isNew = [...named].some((address) => !this.#until.has(address));
    for (const address of named) this.#until.set(address, Infinity);
    for (const address of this.#until.keys()) {
      if (this.#until.size <= MAX_ADDRESSES) break;
      if (!named.has(address)) this.#until.delete(address);
    }
    return isNew;
  }
}
