import type { IdentifyResult, PeerId, PeerInfo } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Runtime } from "../../ports/runtime.ts";
import type { Peer } from "../../ports/router.ts";
import { toMultiaddrString } from "../libp2p/address.ts";
import type { BootstrapContact } from "../bootstrap/bootstrapper.ts";
import type { KnownPeer } from "../bootstrap/last_peers.ts";
import { kademliaId } from "../dht/dht_key.ts";
import type { Host } from "../libp2p/host.ts";
import { NearestPeers, type Positioned, type RoutingPeer } from "../dht/nearest_peers.ts";
import type { MappedPeer, PeerMapper } from "./peer_mapper.ts";
import { Provider } from "../dht/provider.ts";
import { shuffle } from "../bootstrap/shuffle.ts";

export interface RoutingTableCollaborators extends Pick<Runtime, "log" | "metrics"> {
  readonly host: Host;
  readonly toPeer: PeerMapper;
  /** Called when a peer of the routing table is connected, for the first time or again. */
  readonly onJoin: (peer: PeerId) => void;
  /** Called when a peer left the routing table. */
  readonly onLeave: (peer: PeerId) => void;
  /** Called when the last connection to a peer of the routing table closed. */
  readonly onDisconnect: (peer: PeerId) => void;
}

interface Entry extends RoutingPeer {
  mapped: MappedPeer | undefined;
  wire: Uint8Array | undefined;
}

/** Mirrors the DHT's routing table in the port's types, for synchronous reads. */
export class RoutingTable {
  readonly #collaborators: RoutingTableCollaborators;
  readonly #entries = new Map<string, Entry>();
  readonly #unlisten = new DisposableStack();
  #nearest: NearestPeers<Entry> | undefined;

  constructor(collaborators: RoutingTableCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Starts following the library's routing table. */
  start(): void {
    const { node, dht } = this.#collaborators.host;
    this.#listen<PeerId>(dht.routingTable, "peer:add", (id) => this.#joined(id));
    this.#listen<PeerId>(dht.routingTable, "peer:remove", (id) => this.#left(id));
    this.#listen<PeerId>(node, "peer:connect", (id) => {
      if (this.has(id)) this.#joined(id);
    });
    // A peer that is back at another address says so only after it has connected.
    this.#listen<IdentifyResult>(node, "peer:identify", ({ peerId }) => {
      const entry = this.#entries.get(peerId.toString());
      if (entry !== undefined) this.#readAddresses(entry);
    });
    this.#listen<PeerId>(node, "peer:disconnect", (id) => {
      if (this.has(id)) this.#collaborators.onDisconnect(id);
    });
  }

  stop(): void {
    this.#unlisten.dispose();
  }

  /** Number of peers. */
  get size(): number {
    return this.#entries.size;
  }

  has(id: PeerId): boolean {
    return this.#entries.has(id.toString());
  }

  ids(): PeerId[] {
    return [...this.#entries.values()].map(({ peer }) => peer);
  }

  /** The peers nearest to a position in the key space, nearest first. */
  nearest(position: Uint8Array, count: number): readonly RoutingPeer[] {
    this.#nearest ??= new NearestPeers(this.#entries.values());
    return this.#nearest.to(position, count);
  }

  /** All peers with their positions. */
  positioned(): readonly Positioned[] {
    return [...this.#entries.values()];
  }

  /** A peer's own announcement; undefined if it is not in the table. */
  mapped(id: PeerId): MappedPeer | undefined {
    return this.#entries.get(id.toString())?.mapped;
  }

  /** The peer with this id, if it is in the routing table. */
  find(id: string): PeerId | undefined {
    return this.#entries.get(id)?.peer;
  }

  /** All peers with known addresses. */
  peers(): Peer[] {
    return [...this.#entries.values()].flatMap(({ mapped }) => mapped?.peer ?? []);
  }

  /** All peers with the addresses of their routers. */
  known(): KnownPeer[] {
    return [...this.#entries].flatMap(([id, { mapped }]) =>
      mapped === undefined ? [] : [{ id, addresses: mapped.endpoints }]
    );
  }

  /** Some peers with the addresses of their routers, chosen at random. */
  contacts(limit: number): BootstrapContact[] {
    return shuffle(this.known()).slice(0, limit).map(({ id, addresses }) => ({
      id,
      addresses: addresses.map(toMultiaddrString),
    }));
  }

  /** Tells whether a peer of the table has its router at this address. */
  knows(ip: string, port: number): boolean {
    return [...this.#entries.values()].some(({ mapped }) =>
      mapped?.endpoints.some((endpoint) => endpoint.ip === ip && endpoint.port === port)
    );
  }

  /** What the node knows of a peer, in the table or not; undefined if nothing. */
  async info(id: PeerId): Promise<PeerInfo | undefined> {
    try {
      return await this.#collaborators.host.node.peerStore.getInfo(id);
    } catch {
      return undefined;
    }
  }

  #joined(id: PeerId): void {
    const name = id.toString();
    const entry = this.#entries.get(name) ?? {
      peer: id,
      position: kademliaId(id.toMultihash().bytes),
      mapped: undefined,
      wire: undefined,
    };
    this.#entries.set(name, entry);
    this.#nearest = undefined;
    this.#collaborators.metrics.peers(this.#entries.size);
    this.#collaborators.onJoin(id);
    this.#readAddresses(entry);
  }

  #readAddresses(entry: Entry): void {
    this.info(entry.peer).then((info) => {
      entry.mapped = (info && this.#collaborators.toPeer(info)) ?? entry.mapped;
      entry.wire = entry.mapped && toWire(entry.peer, entry.mapped);
    }).catch((error) =>
      this.#collaborators.log.warn("reading a peer's addresses failed", { error })
    );
  }

  #left(id: PeerId): void {
    if (!this.#entries.delete(id.toString())) return;
    this.#nearest = undefined;
    this.#collaborators.metrics.peers(this.#entries.size);
    this.#collaborators.onLeave(id);
  }

  #listen<Detail>(target: EventTarget, type: string, handle: (detail: Detail) => void): void {
    // DOM and Node.js declare Event differently, hence the cast.
    const listener: EventListener = (event) => handle((event as CustomEvent<Detail>).detail);
    target.addEventListener(type, listener);
    this.#unlisten.defer(() => target.removeEventListener(type, listener));
  }
}

function toWire(id: PeerId, { endpoints }: MappedPeer): Uint8Array {
  return new Provider(id, endpoints.map((at) => multiaddr(toMultiaddrString(at)))).wire;
}
