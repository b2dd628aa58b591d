import type { PeerId } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import { type DhtKey, kademliaId } from "../dht/dht_key.ts";
import { NearestPeers, type Positioned } from "../dht/nearest_peers.ts";
import type { WorkBudget } from "../../async/work_budget.ts";

/** Peers that store each record: Kademlia's k. */
export const REPLICAS = 20;
/** Deadline of looking up the peers of a region, ms. */
const REGION_LOOKUP_TIMEOUT_MS = 5000;
/** Lifetime of a cached region, ms. */
const REGION_KNOWN_FOR_MS = 60_000;
/** Keys placed between two yields of the work budget. */
const CHUNK = 256;

/** A key and its position. */
export interface PlacedKey extends DhtKey {
  readonly kademliaId: Uint8Array;
}

/** Keys for one peer. */
export interface Parcel<K extends PlacedKey> {
  readonly peer: PeerId;
  readonly keys: readonly K[];
}

export interface KeyPlacementCollaborators {
  /** The peers of the routing table. */
  readonly table: { readonly size: number; positioned(): readonly Positioned[] };
  /** Walks the DHT; resolves with the peers nearest to a multihash. Does not reject. */
  readonly closest: (target: Uint8Array, options: Cancellable) => Promise<readonly PeerId[]>;
  readonly budget: Pick<WorkBudget, "breathe">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * Decides which peers store which keys: all peers if there are at most 20, else the 20 nearest. In
 * a larger network the routing table may know too few of those, so it also looks up the keys'
 * regions.
 */
export class KeyPlacement {
  readonly #collaborators: KeyPlacementCollaborators;
  /** First four bits of a position → peers that a lookup found there, and when. */
  readonly #regions = new Map<number, { readonly peers: readonly Positioned[]; at: number }>();

  constructor(collaborators: KeyPlacementCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Number of leading bits that a peer shares with nearly all keys that it stores. */
  sharedBits(): number {
    const { size } = this.#collaborators.table;
    return Math.max(0, Math.floor(Math.log2((size + 1) / REPLICAS)) - 1);
  }

  /** The keys that a peer of the table is to store. */
  async belongingTo<K extends PlacedKey>(peer: PeerId, keys: readonly K[]): Promise<readonly K[]> {
    const { table, budget } = this.#collaborators;
    if (table.size <= REPLICAS) return keys;
    const nearest = new NearestPeers(table.positioned());
    const belonging: K[] = [];
    for (const [index, key] of keys.entries()) {
      if (index % CHUNK === 0) await budget.breathe();
      const keepers = nearest.to(key.kademliaId, REPLICAS);
      if (keepers.some((keeper) => keeper.peer.equals(peer))) belonging.push(key);
    }
    return belonging;
  }

  /** Groups keys by the peers of the table that are to store them. */
  async place<K extends PlacedKey>(keys: readonly K[]): Promise<Parcel<K>[]> {
    const peers = this.#collaborators.table.positioned();
    if (keys.length === 0) return [];
    if (peers.length <= REPLICAS) return peers.map(({ peer }) => ({ peer, keys }));
    return await this.#sort(keys, peers, () => true);
  }

  /**
   * Looks up the keys' regions for peers outside of the table, and groups the keys by those that
   * are to store them.
   */
  async placeFurther<K extends PlacedKey>(
    keys: readonly K[],
    options: Cancellable,
  ): Promise<Parcel<K>[]> {
    const { table } = this.#collaborators;
    if (table.size <= REPLICAS) return [];
    const parcels: Parcel<K>[] = [];
    const regions = Map.groupBy(keys, ({ kademliaId: [first = 0] }) => first >> 4);
    for (const [region, keys] of regions) {
      const known = table.positioned();
      const names = new Set(known.map(({ peer }) => peer.toString()));
      const found = await this.#regionPeers(region, keys, options);
      const further = found.filter(({ peer }) => !names.has(peer.toString()));
      if (further.length === 0) continue;
      const isFurther = (peer: PeerId) => !names.has(peer.toString());
      parcels.push(...await this.#sort(keys, [...known, ...further], isFurther));
    }
    return parcels;
  }

  async #sort<K extends PlacedKey>(
    keys: readonly K[],
    peers: readonly Positioned[],
    isWanted: (peer: PeerId) => boolean,
  ): Promise<Parcel<K>[]> {
    const nearest = new NearestPeers(peers);
    const parcels = new Map<string, { peer: PeerId; keys: K[] }>();
    for (const [index, key] of keys.entries()) {
      if (index % CHUNK === 0) await this.#collaborators.budget.breathe();
      for (const { peer } of nearest.to(key.kademliaId, REPLICAS)) {
        if (!isWanted(peer)) continue;
        const parcel = parcels.get(peer.toString());
        if (parcel === undefined) parcels.set(peer.toString(), { peer, keys: [key] });
        else parcel.keys.push(key);
      }
    }
    return [...parcels.values()];
  }

  async #regionPeers(
    region: number,
    keys: readonly PlacedKey[],
    options: Cancellable,
  ): Promise<readonly Positioned[]> {
    const { clock } = this.#collaborators;
    const known = this.#regions.get(region);
    if (known !== undefined && clock.now() - known.at < REGION_KNOWN_FOR_MS) return known.peers;
    const [first] = keys;
    const peers = first === undefined ? [] : await this.#lookup(first, options);
    if (peers.length > 0) this.#regions.set(region, { peers, at: clock.now() });
    return peers;
  }

  async #lookup(key: PlacedKey, options: Cancellable): Promise<Positioned[]> {
    using limit = deadline(REGION_LOOKUP_TIMEOUT_MS, options);
    const found = await this.#collaborators.closest(key.multihash, limit);
    options.signal.throwIfAborted();
    return found.map((peer) => ({ peer, position: kademliaId(peer.toMultihash().bytes) }));
  }
}
