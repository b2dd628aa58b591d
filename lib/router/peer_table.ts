import type { PeerId, PeerInfo } from "@libp2p/interface";
import type { Log, Metrics, Peer } from "../ports.ts";
import { toMultiaddrString } from "./address.ts";
import type { BootstrapContact } from "./bootstrap/bootstrapper.ts";
import type { Host } from "./host.ts";
import type { MappedPeer, PeerMapper } from "./peer_mapper.ts";
import { shuffle } from "./shuffle.ts";

/** Collaborators of a {@link PeerTable}. */
export interface PeerTableCollaborators {
  readonly host: Host;
  readonly toPeer: PeerMapper;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called when a peer can be sent to: it is in the routing table and connected, maybe anew. */
  readonly onJoin: (peer: PeerId) => void;
  /** Called when a peer left the routing table. */
  readonly onLeave: (peer: PeerId) => void;
  /** Called when the last connection to a peer of the routing table closed. */
  readonly onDisconnect: (peer: PeerId) => void;
}

interface Entry {
  readonly id: PeerId;
  mapped: MappedPeer | undefined;
}

/** Mirrors the DHT's routing table in the port's terms, so that it can be read at any time. */
export class PeerTable {
  readonly #collaborators: PeerTableCollaborators;
  readonly #entries = new Map<string, Entry>();
  readonly #unlisten = new DisposableStack();

  constructor(collaborators: PeerTableCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Begins to follow the routing table. */
  start(): void {
    const { node, dht } = this.#collaborators.host;
    this.#listen(dht.routingTable, "peer:add", (id) => this.#joined(id));
    this.#listen(dht.routingTable, "peer:remove", (id) => this.#left(id));
    this.#listen(node, "peer:connect", (id) => {
      if (this.has(id)) this.#joined(id);
    });
    this.#listen(node, "peer:disconnect", (id) => {
      if (this.has(id)) this.#collaborators.onDisconnect(id);
    });
  }

  /** Stops following. */
  stop(): void {
    this.#unlisten.dispose();
  }

  /** How many peers there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Tells whether a peer is in the routing table. */
  has(id: PeerId): boolean {
    return this.#entries.has(id.toString());
  }

  /** Ids of all peers. */
  ids(): PeerId[] {
    return [...this.#entries.values()].map(({ id }) => id);
  }

  /** The peer with this id, if it is in the routing table. */
  find(id: string): PeerId | undefined {
    return this.#entries.get(id)?.id;
  }

  /** All peers whose addresses are known. */
  peers(): Peer[] {
    return [...this.#entries.values()].flatMap(({ mapped }) => mapped?.peer ?? []);
  }

  /** Some peers with the addresses of their routers, chosen at random. */
  contacts(limit: number): BootstrapContact[] {
    const known = [...this.#entries].flatMap(([id, { mapped }]) =>
      mapped === undefined ? [] : [{ id, addresses: mapped.endpoints.map(toMultiaddrString) }]
    );
    return shuffle(known).slice(0, limit);
  }

  /** Tells whether a router at this address belongs to a peer of the table. */
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
    const entry = this.#entries.get(name) ?? { id, mapped: undefined };
    this.#entries.set(name, entry);
    this.#collaborators.metrics.peers(this.#entries.size);
    this.#collaborators.onJoin(id);
    this.info(id).then((info) => {
      entry.mapped = (info && this.#collaborators.toPeer(info)) ?? entry.mapped;
    }).catch((error) =>
      this.#collaborators.log.warn("reading a peer's addresses failed", { error })
    );
  }

  #left(id: PeerId): void {
    if (!this.#entries.delete(id.toString())) return;
    this.#collaborators.metrics.peers(this.#entries.size);
    this.#collaborators.onLeave(id);
  }

  #listen(target: EventTarget, type: string, handle: (id: PeerId) => void): void {
    // The parameter's type is left to the listener's: DOM and Node.js declare Event differently.
    const listener: EventListener = (event) => handle((event as CustomEvent<PeerId>).detail);
    target.addEventListener(type, listener);
    this.#unlisten.defer(() => target.removeEventListener(type, listener));
  }
}
