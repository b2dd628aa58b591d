import { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import { place, placeOf, type Sender, type Suspicion } from "../http/sender.ts";

/** A peer that relayed wrong content before it could verify it is excused so many times. */
const EXCUSED = 2;
/** An excused relay is not used for so long, ms: the peer that deceived it may be found by then. */
const EXCUSED_MS = 10_000;

/** Settings of {@link PenaltyBox}. */
export interface PenaltyBoxOptions {
  /** How long an address that sent wrong content is not asked, ms. */
  readonly shunMs: number;
  /** Addresses that are remembered. */
  readonly maxTrackedPeers: number;
}

/** The address that content comes from. */
export type Origin = Pick<Sender, "peer" | "address">;

/**
 * Addresses of registries that sent content that is not what was asked for. They are not asked for a
 * while, whatever the id of the peer there. A peer that relayed wrong content before it could verify
 * it is still asked for what it holds, but not for what it is still getting.
 */
export class PenaltyBox {
  readonly #clock: Pick<Clock, "now">;
  readonly #options: PenaltyBoxOptions;
  readonly #shunned: LRUCache<string, true>;
  readonly #suspects: LRUCache<string, Suspicion>;
  readonly #relays: LRUCache<string, { readonly until: number; readonly excused: number }>;

  constructor(clock: Pick<Clock, "now">, options: PenaltyBoxOptions) {
    this.#clock = clock;
    this.#options = options;
    const { maxTrackedPeers: max, shunMs } = options;
    this.#shunned = expiringCache(clock, { max, ttlMs: shunMs });
    this.#suspects = expiringCache(clock, { max, ttlMs: shunMs });
    this.#relays = new LRUCache({ max });
  }

  /** Shuns the only sender of wrong content. Returns for how long, ms. */
  shun(origin: Origin): number {
    this.#shunned.set(placeOf(origin), true);
    return this.#options.shunMs;
  }

  /** Whether all addresses of a peer are shunned. */
  isShunned(peer: Peer): boolean {
    return peer.addresses.length > 0 && this.usable(peer).addresses.length === 0;
  }

  /** The peer with those of its addresses that are not shunned. */
  usable(peer: Peer): Peer {
    if (this.#shunned.size === 0) return peer;
    const addresses = peer.addresses.filter((address) =>
      !this.#shunned.has(place(address, peer.registryPort))
    );
    return addresses.length === peer.addresses.length ? peer : { ...peer, addresses };
  }

  /**
   * Stops using a peer as a relay: it relayed wrong content, by which another peer may have deceived
   * it. Returns for how long, ms.
   */
  banRelay(origin: Origin): number {
    const { shunMs } = this.#options;
    const at = placeOf(origin);
    const excused = (this.#relays.get(at)?.excused ?? 0) + 1;
    const forMs = excused <= EXCUSED ? Math.min(EXCUSED_MS, shunMs) : shunMs;
    this.#relays.set(at, { until: this.#clock.now() + forMs, excused });
    return forMs;
  }

  /** Whether content that a peer is still getting is not taken from it. */
  isBannedRelay(origin: Origin): boolean {
    return (this.#relays.get(placeOf(origin))?.until ?? -Infinity) > this.#clock.now();
  }

  /** Content of this origin, of which a part was passed on, was wrong or broke off. */
  suspect(origin: Origin, suspicion: Suspicion): void {
    const before = this.suspicion(origin);
    this.#suspects.set(placeOf(origin), before > suspicion ? before : suspicion);
  }

  /** Unless it is 0, content is verified before any of it is passed on, where that is possible. */
  suspicion(origin: Origin): Suspicion {
    return this.#suspects.get(placeOf(origin)) ?? 0;
  }
}
