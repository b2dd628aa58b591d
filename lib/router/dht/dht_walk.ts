import type { PeerId, PeerInfo } from "@libp2p/interface";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { DhtClient } from "./dht_client.ts";
import type { DhtMessage } from "./dht_message.ts";
import type { Nearby, RoutingPeer } from "./nearest_peers.ts";
import { Shortlist } from "./shortlist.ts";

/** Concurrent queries. */
const PARALLEL = 4;
/** Nearest peers of the routing table; connected ones among them are asked first. */
const CONSIDERED = 20;
/** Maximum peers asked by one walk, whatever the answers name. */
const MAX_ASKED = 64;

export interface DhtWalkCollaborators {
  readonly self: PeerId;
  readonly table: Nearby;
  readonly client: Pick<DhtClient, "ask">;
  /** Decodes a peer of an answer; undefined if it is malformed or cannot be reached. */
  readonly decode: (wire: Uint8Array) => PeerInfo | undefined;
  /** Makes a peer outside of the routing table dialable. */
  readonly introduce: (peer: PeerInfo) => Promise<void>;
  /** Tells whether a peer is connected. */
  readonly isConnected: (peer: PeerId) => boolean;
  /** Tells whether a peer is dead or suspect: it is not asked. */
  readonly isDown: (id: string) => boolean;
  /** Called with a peer that did not answer. */
  readonly onFailure: (peer: PeerId) => void;
}

export interface DhtWalkOptions extends Cancellable {
  /** Target in the key space. */
  readonly position: Uint8Array;
  /** The encoded query. */
  readonly question: Uint8Array;
  /** The walk ends when this many of the nearest peers have answered. */
  readonly width: number;
  /** Called with each answer. */
  readonly onAnswer?: (answer: DhtMessage) => void;
  /** Tells whether the walk may end early. */
  readonly enough?: () => boolean;
}

/**
 * Kademlia's iterative lookup: asks the peers nearest to a position, a few at once, and nearer ones
 * that they name, until the nearest have all answered or failed (libp2p specification kad-dht,
 * sections "Peer routing" and "Content provider discovery"). The library's own opens a stream for
 * each query.
 */
export class DhtWalk {
  readonly #collaborators: DhtWalkCollaborators;
  readonly #options: DhtWalkOptions;
  readonly #list: Shortlist;
  #asked = 0;

  constructor(collaborators: DhtWalkCollaborators, options: DhtWalkOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#list = new Shortlist(options.position, options.width);
    for (const { peer } of this.#start()) this.#list.add({ id: peer, multiaddrs: [] });
  }

  /** Resolves with the nearest peers that answered, nearest first. Does not reject. */
  async run(): Promise<PeerInfo[]> {
    await Promise.all(Array.from({ length: PARALLEL }, () => this.#work()));
    return this.#list.nearestAnswered();
  }

  /** Any of the nearest twenty may answer: connected ones are asked first. */
  #start(): RoutingPeer[] {
    const { table, isConnected, isDown } = this.#collaborators;
    const { position, width } = this.#options;
    const nearest = table.nearest(position, Math.max(CONSIDERED, width))
      .filter(({ peer }) => !isDown(peer.toString()));
    const connected = nearest.filter(({ peer }) => isConnected(peer));
    const others = nearest.filter((candidate) => !connected.includes(candidate));
    return [...connected, ...others].slice(0, width);
  }

  async #work(): Promise<void> {
    const { signal, enough } = this.#options;
    while (!signal.aborted && enough?.() !== true && this.#asked < MAX_ASKED) {
      const peer = this.#list.next();
      if (peer !== undefined) {
        this.#asked++;
        await this.#ask(peer);
      } else if (this.#list.pending > 0) await this.#list.changed;
      else return;
    }
  }

  async #ask(peer: PeerInfo): Promise<void> {
    const { client, introduce, onFailure } = this.#collaborators;
    const { question, signal, onAnswer } = this.#options;
    try {
      if (peer.multiaddrs.length > 0) await introduce(peer);
      const answer = await client.ask(peer.id, question, { signal });
      onAnswer?.(answer);
      this.#follow(answer);
      this.#list.answered(peer);
    } catch {
      // The peer monitor finds out why a peer does not answer.
      this.#list.failed(peer);
      if (!signal.aborted) onFailure(peer.id);
    }
  }

  #follow({ closer }: DhtMessage): void {
    const { decode, isDown, self } = this.#collaborators;
    for (const wire of closer) {
      const info = decode(wire);
      if (info === undefined || info.id.equals(self) || isDown(info.id.toString())) continue;
      this.#list.add(info);
    }
  }
}
