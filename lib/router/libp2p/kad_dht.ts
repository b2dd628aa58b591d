import type { AbortOptions, Connection, PeerId, Stream } from "@libp2p/interface";
import type { CID } from "multiformats/cid";
import { requireMembers } from "./library.ts";

/** The used parts of kad-dht beyond its public types. */
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
 * @throws {Error} if a required member is missing.
 */
export function dhtInternals(dht: object): DhtInternals {
  const internals = dht as DhtInternals;
  const check = (target: object, members: Parameters<typeof requireMembers>[2]) =>
    requireMembers("@libp2p/kad-dht", target, members);
  check(dht, { routingTable: "object", rpc: "object", providers: "object", protocol: "string" });
  check(internals.routingTable, {
    remove: "function",
    queueRoutingTableUpdate: "function",
    addEventListener: "function",
  });
  check(internals.rpc, { onIncomingStream: "function" });
  check(internals.providers, {
    addProvider: "function",
    removeProvider: "function",
    getProviders: "function",
  });
  return internals;
}

/**
 * Disables the library's own store of provider records: its reprovider announces its content
 * slowly, and its lists are scanned on each lookup. The router stores and serves records itself.
 */
export function disableLibraryRecords({ providers }: Pick<DhtInternals, "providers">): void {
  providers.addProvider = () => Promise.resolve();
  providers.removeProvider = () => Promise.resolve();
  providers.getProviders = () => Promise.resolve([]);
}
