import { deadline } from "../../async/deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { canonicalIp } from "../../net/ip.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { BootstrapPeer, Bootstrapper, BootstrapSelf } from "./bootstrapper.ts";

/** Maximum addresses: those of 8,000 dual-stack nodes. */
const MAX_ADDRESSES = 16_384;
/**
 * How long an address stays trusted after an answer without it, ms: answers are truncated and vary.
 */
const KEPT_MS = 5 * 60_000;
/** Interval of {@link TrustedAddresses.refresh}; doubles while answers have no new address, ms. */
const PAUSE = { minMs: 10_000, maxMs: 5 * 60_000 };
/** Deadline of a refresh, ms. */
const ASK_TIMEOUT_MS = 3000;

export interface TrustedAddressesCollaborators {
  /** The configured source of bootstrap peers. */
  readonly bootstrapper: Bootstrapper;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/**
 * A bootstrapper that collects the IP addresses that its source names. A failing source changes
 * nothing; an address that is no longer named stays trusted for a while.
 */
export class TrustedAddresses implements Bootstrapper {
  readonly #collaborators: TrustedAddressesCollaborators;
  readonly #stop = new AbortController();
  /** Canonical address to its expiry; Infinity while the last answer has it. */
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

  /** Tells whether the source names an IP address, or did recently. */
  isTrusted(address: string): boolean {
    const until = this.#until.get(canonicalIp(address));
    return until !== undefined && until > this.#collaborators.clock.now();
  }

  /**
   * Reads the source again, unless that was done recently, or some minutes ago without new
   * addresses. Does not reject; the signal only ends the wait.
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
      this.#collaborators.log.debug("trusted addresses cannot be refreshed", { error });
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
