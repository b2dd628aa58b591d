import type { PeerId } from "@libp2p/interface";
import { deadline } from "../async/deadline.ts";
import type { Cancellable, Log } from "../ports.ts";
import { type DhtKey, kademliaId } from "./dht_key.ts";
import type { DhtQueries } from "./host.ts";
import type { RoutingTable } from "./kad_dht.ts";

/** Peers that keep each record: Kademlia's k. */
const REPLICAS = 20;
/** Time to look for the peers of a region. */
const REGION_LOOKUP_TIMEOUT_MS = 5000;

/** A key and its position. */
export interface PlacedKey extends DhtKey {
  readonly kademliaId: Uint8Array;
}

/** Keys for one peer. */
export interface Parcel<K extends PlacedKey> {
  readonly peer: PeerId;
  readonly keys: readonly K[];
}

/** Collaborators of a {@link KeyPlacement}. */
export interface KeyPlacementCollaborators {
  /** This node, which keeps its own keys anyway. */
  readonly self: PeerId;
  readonly table: Pick<RoutingTable, "size" | "closestPeers">;
  readonly query: Pick<DhtQueries, "getClosestPeers">;
  readonly log: Log;
}

/**
 * Decides which peers keep which keys: everyone while there are at most 20, else the 20 nearest.
 * The routing table alone knows too few of those in a larger network, so one lookup into the
 * keys' region comes first.
 */
export class KeyPlacement {
  readonly #collaborators: KeyPlacementCollaborators;

  constructor(collaborators: KeyPlacementCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Tells whether a peer of the routing table is among those that keep a key. */
  belongsTo(key: Uint8Array, peer: PeerId): boolean {
    const { table } = this.#collaborators;
    if (table.size <= REPLICAS) return true;
    return table.closestPeers(key, { count: REPLICAS }).some((other) => other.equals(peer));
  }

  /** Sorts keys of one region by the peers that are to keep them. */
  async place<K extends PlacedKey>(keys: readonly K[], options: Cancellable): Promise<Parcel<K>[]> {
    const { table } = this.#collaborators;
    const [first] = keys;
    if (first === undefined) return [];
    const known = table.closestPeers(first.kademliaId, { count: table.size });
    if (known.length <= REPLICAS) return known.map((peer) => ({ peer, keys }));
    const found = await this.#lookupRegion(first, options);
    const candidates = positions([...known, ...found]);
    const parcels = new Map<Candidate, K[]>();
    for (const key of keys) {
      for (const candidate of nearest(candidates, key.kademliaId)) {
        const parcel = parcels.get(candidate);
        if (parcel === undefined) parcels.set(candidate, [key]);
        else parcel.push(key);
      }
    }
    return [...parcels].map(([{ peer }, keys]) => ({ peer, keys }));
  }

  async #lookupRegion(key: PlacedKey, options: Cancellable): Promise<PeerId[]> {
    const { query, self, log } = this.#collaborators;
    const found: PeerId[] = [];
    using limit = deadline(REGION_LOOKUP_TIMEOUT_MS, options);
    try {
      for await (const event of query.getClosestPeers(key.multihash, limit)) {
        if (event.name !== "FINAL_PEER" || event.peer.id.equals(self)) continue;
        found.push(event.peer.id);
      }
    } catch (error) {
      log.debug("looking for the peers of a region failed", { error });
    }
    return found;
  }
}

interface Candidate {
  readonly peer: PeerId;
  readonly position: Uint8Array;
}

function positions(peers: readonly PeerId[]): Candidate[] {
  const unique = new Map(peers.map((peer) => [peer.toString(), peer]));
  return [...unique.values()].map((peer) => ({
    peer,
    position: kademliaId(peer.toMultihash().bytes),
  }));
}

function nearest(candidates: readonly Candidate[], key: Uint8Array): Candidate[] {
  return candidates.map((candidate) => ({ candidate, distance: distance(candidate.position, key) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, REPLICAS)
    .map(({ candidate }) => candidate);
}

/** XOR distance of the first six bytes, which tell any two nodes apart. */
function distance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < 6; i++) sum = sum * 256 + ((a[i] ?? 0) ^ (b[i] ?? 0));
  return sum;
}
