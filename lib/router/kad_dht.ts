import type { AbortOptions, PeerId, PeerInfo, Stream } from "@libp2p/interface";
import type { CID } from "multiformats/cid";

/**
 * What is used of kad-dht beyond its public types. All of it is public at run time in the version
 * that the project pins; {@link dhtInternals} checks that it still is. Nothing else may reach into
 * the library.
 */
export interface DhtInternals {
  /** Peers by distance; never evicts one by itself. Emits `peer:add` and `peer:remove`. */
  readonly routingTable: RoutingTable;
  /** Speaks the DHT's protocol. */
  readonly network: Network;
  /** Asked and told by the library for provider records. */
  readonly providers: ProviderRecords;
  /** Protocol name, e.g. `/spegel/kad/1.0.0`. */
  readonly protocol: string;
}

/** The routing table. */
export interface RoutingTable extends EventTarget {
  readonly size: number;
  closestPeers(kademliaId: Uint8Array, options?: { readonly count?: number }): PeerId[];
  find(peer: PeerId): Promise<PeerId | undefined>;
  remove(peer: PeerId): Promise<void>;
  queueRoutingTableUpdate(peer: PeerId): void;
}

/** Sends one message and yields what happens; failures are events, not exceptions. */
export interface Network {
  sendRequest(
    to: PeerId,
    message: { readonly type: string; readonly key: Uint8Array },
    options: AbortOptions & { readonly path: DisjointPath },
  ): AsyncIterable<NetworkEvent>;
}

/** Position of a message in a query; only for the library's own statistics. */
export interface DisjointPath {
  readonly index: number;
  readonly queued: number;
  readonly running: number;
  readonly total: number;
}

/** An event of {@link Network.sendRequest}; only answers carry peers. */
export type NetworkEvent =
  | { readonly name: "PEER_RESPONSE"; readonly closer: PeerInfo[]; readonly providers: PeerInfo[] }
  | { readonly name: "QUERY_ERROR"; readonly error: Error }
  | { readonly name: "DIAL_PEER" | "SEND_QUERY" };

/** Provider records; the methods are replaced by ours. */
export interface ProviderRecords {
  addProvider(key: CID, provider: PeerId): Promise<void>;
  removeProvider(key: CID, provider: PeerId): Promise<void>;
  getProviders(key: CID): Promise<PeerId[]>;
}

/** Opens a stream to a peer over an existing or a new connection. */
export type OpenStream = (peer: PeerId, options: AbortOptions) => Promise<Stream>;

/** A path for messages outside of any query. */
export const NO_PATH: DisjointPath = { index: -1, queued: 0, running: 0, total: 0 };

/**
 * Reaches into the DHT service.
 *
 * @throws {Error} if a member that is needed is not there, so that an update of the library is
 * noticed at the start and not in the middle of a pull.
 */
export function dhtInternals(dht: object): DhtInternals {
  require(dht, ["routingTable", "network", "providers", "protocol"]);
  const internals = dht as DhtInternals;
  require(internals.routingTable, [
    "closestPeers",
    "find",
    "remove",
    "queueRoutingTableUpdate",
    "addEventListener",
  ]);
  require(internals.network, ["sendRequest"]);
  require(internals.providers, ["addProvider", "removeProvider", "getProviders"]);
  return internals;
}

function require(target: object, members: readonly string[]): void {
  for (const member of members) {
    if (!(member in target)) {
      throw new Error(`@libp2p/kad-dht has no member ${member}; the pinned version is 16.4.5`);
    }
  }
}
