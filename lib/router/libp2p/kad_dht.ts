import type { AbortOptions, Connection, PeerId, Stream } from "@libp2p/interface";
import type { CID } from "multiformats/cid";

/**
 * The used parts of kad-dht beyond its public types. All are public at run time in the pinned
 * version; {@link dhtInternals} checks that they still are. No other file may use the library's
 * internals.
 */
export interface DhtInternals {
  /** Peers by distance; never evicts one by itself. Emits `peer:add` and `peer:remove`. */
  readonly routingTable: LibraryRoutingTable;
  /** Serves the DHT's protocol. Its handler is replaced by Eddy's before the start. */
  readonly rpc: { onIncomingStream(stream: Stream, connection: Connection): Promise<void> };
  /** The library's store of provider records. */
  readonly providers: ProviderRecords;
  /** Protocol name, e.g. `/spegel/kad/1.0.0`. */
  readonly protocol: string;
}

export interface LibraryRoutingTable extends EventTarget {
  readonly size: number;
  closestPeers(kademliaId: Uint8Array, options?: { readonly count?: number }): PeerId[];
  find(peer: PeerId): Promise<PeerId | undefined>;
  remove(peer: PeerId): Promise<void>;
  queueRoutingTableUpdate(peer: PeerId): void;
}

/** Provider records; the methods are replaced by Eddy's. */
export interface ProviderRecords {
  addProvider(key: CID, provider: PeerId): Promise<void>;
  removeProvider(key: CID, provider: PeerId): Promise<void>;
  getProviders(key: CID): Promise<PeerId[]>;
}

/** Opens a stream to a peer over an existing or a new connection. */
export type OpenStream = (peer: PeerId, options: AbortOptions) => Promise<Stream>;

/**
 * Accesses the internals of the DHT service.
 *
 * @throws {Error} if a required member is missing, so that an incompatible update of the library
 * fails at the start and not during a pull.
 */
export function dhtInternals(dht: object): DhtInternals {
  require(dht, ["routingTable", "rpc", "providers", "protocol"]);
  const internals = dht as DhtInternals;
  require(internals.routingTable, [
    "closestPeers",
    "find",
    "remove",
    "queueRoutingTableUpdate",
    "addEventListener",
  ]);
  require(internals.rpc, ["onIncomingStream"]);
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
