import type { Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { LRUCache } from "lru-cache";
import { fairDeadline } from "../../async/fair_deadline.ts";
import type { Cancellable, Clock, Log, Metrics, Peer } from "../../ports.ts";
import type { Elections, Turn, TurnOptions } from "../../ports/rollout.ts";
import { toMultiaddrString } from "../address.ts";
import { dhtKey, kademliaId } from "../dht_key.ts";
import type { PeerMapper } from "../peer_mapper.ts";
import type { PeerTable } from "../peer_table.ts";
import { StreamClient } from "../stream_client.ts";
import { Election, type RolloutState } from "./election.ts";
import { decodeReply, encodeTurnMessage, type Question, type Reply } from "./turn_message.ts";
import { serveTurns } from "./turn_server.ts";

/** Nodes that do not speak it, such as Spegel's, are neither asked nor named. */
export const ROLLOUT_PROTOCOL = "/eddy/rollout/1.0.0";

/**
 * A question that is not answered by then is no longer worth the wait, ms. Answers take a few; yet
 * just when a rollout begins, nodes have much else to do. One that has died is noticed sooner.
 */
const TURN_TIMEOUT_MS = 250;
/** Peers nearest to a key among which one that speaks the protocol is looked for. */
const MAX_HOMES = 16;
/** Streams of one peer: one is all that is needed. */
const MAX_STREAMS = 4;
/** How long content is expected after a turn was asked for, ms. */
const EXPECTED_MS = 200;
const MAX_TURNS = 4096;
/** How long nobody is followed after that was given up, ms. */
const GAVE_UP_MS = 2000;

/** Collaborators of {@link Turns}. */
export interface TurnsCollaborators {
  readonly node: Libp2p;
  readonly table: PeerTable;
  readonly toPeer: PeerMapper;
  /** Peers that are not asked and not named. */
  readonly isDown: (id: string) => boolean;
  /** A peer did not answer. */
  readonly onFailure: (peer: PeerId) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "electionHeld">;
}

/**
 * Agrees with other nodes on who gets content from upstream. The node nearest to a key in the DHT's
 * metric, be it this one, decides for all that ask; it is not elected and nothing is replicated: if
 * two nodes take themselves for it, or it dies, upstream sends a little more.
 */
export class Turns implements Elections {
  readonly #collaborators: TurnsCollaborators;
  readonly #election: Election;
  readonly #client: StreamClient<Reply>;
  /** When a turn was last asked for, by key. */
  readonly #asked = new LRUCache<string, number>({ max: MAX_TURNS });
  /** When following was given up, by key. */
  readonly #gaveUp = new LRUCache<string, number>({ max: MAX_TURNS });
  readonly #self: string;
  readonly #position: Uint8Array;
  #started = false;

  constructor(collaborators: TurnsCollaborators) {
    const { node, clock } = collaborators;
    this.#collaborators = collaborators;
    this.#election = new Election(clock);
    this.#client = new StreamClient({
      openStream: (peer, limit) => node.dialProtocol(peer, ROLLOUT_PROTOCOL, limit),
      decode: decodeReply,
      clock,
    }, { requestTimeoutMs: 2 * TURN_TIMEOUT_MS });
    this.#self = node.peerId.toString();
    this.#position = kademliaId(node.peerId.toMultihash().bytes);
  }

  /** Begins to answer other nodes. */
  async start(): Promise<void> {
    const { node, log } = this.#collaborators;
    const decide = (id: string, question: Question) => this.#decide(id, question);
    await node.handle(
      ROLLOUT_PROTOCOL,
      (stream, connection) => serveTurns({ decide, log }, stream, connection),
      { maxInboundStreams: MAX_STREAMS },
    );
    this.#started = true;
  }

  /** Gives no turns any more. */
  stop(): void {
    this.#started = false;
    this.#client.stop();
  }

  /** What this node has decided for others lately. */
  rollouts(): RolloutState[] {
    return this.#election.snapshot();
  }

  /** {@inheritDoc Elections.gaveUp} */
  gaveUp(key: string): void {
    this.#gaveUp.set(key, this.#collaborators.clock.now());
  }

  /** {@inheritDoc Elections.expects} */
  expects(key: string): boolean {
    const askedAt = this.#asked.get(key);
    return askedAt !== undefined && this.#collaborators.clock.now() - askedAt < EXPECTED_MS;
  }

  /** {@inheritDoc Elections.turn} */
  async turn(key: string, options: TurnOptions): Promise<Turn | undefined> {
    const { table, clock, log, metrics } = this.#collaborators;
    if (!this.#started || table.size === 0) return undefined;
    const { small, failed, slow = false, signal } = options;
    const began = clock.now();
    const gaveUpAt = this.#gaveUp.get(key) ?? -Infinity;
    if (failed === undefined && began - gaveUpAt < GAVE_UP_MS) return undefined;
    // Asked again, it has not come: those who follow this node are not to wait once more for that.
    if (failed === undefined) this.#asked.set(key, began);
    using limit = fairDeadline(TURN_TIMEOUT_MS, { signal });
    const question: Question = { key, small, ...(failed !== undefined && { failed, slow }) };
    let home: PeerId | undefined;
    try {
      home = await this.#home(key, limit);
      const reply = home === undefined
        ? this.#decide(this.#self, question)
        : await this.#client.ask(home, encodeTurnMessage(question), limit);
      const turn = this.#understand(reply);
      if (turn?.type === "fetch") this.#asked.set(key, clock.now());
      metrics.electionHeld(turn?.type ?? "no-answer");
      log.debug("turn", {
        ...{ key, failed, turn: turn?.type, home: home?.toString() ?? "self" },
        ms: Math.round(clock.now() - began),
        ...(turn?.type === "follow" ? { peer: turn.peer.id, depth: turn.depth } : {}),
      });
      return turn;
    } catch (error) {
      if (signal.aborted) return undefined;
      metrics.electionHeld("no-answer");
      log.debug("a home did not answer", { key, peer: home?.toString(), error });
      // Who is late is busy; who cannot be reached may be gone.
      if (home !== undefined && !limit.signal.aborted) this.#collaborators.onFailure(home);
      return undefined;
    }
  }

  /** The peer nearest to the key that speaks the protocol; undefined if this node is nearer. */
  async #home(key: string, options: Cancellable): Promise<PeerId | undefined> {
    const { table, isDown, node } = this.#collaborators;
    const target = kademliaId(dhtKey(key).multihash);
    for (const { peer, position } of table.nearest(target, MAX_HOMES)) {
      if (isNearer(this.#position, position, target)) return undefined;
      if (isDown(peer.toString())) continue;
      const { protocols } = await node.peerStore.get(peer, options)
        .catch(() => ({ protocols: [] as string[] }));
      if (protocols.includes(ROLLOUT_PROTOCOL)) return peer;
    }
    return undefined;
  }

  #decide(id: string, question: Question): Reply {
    const decision = this.#election.decide({ ...question, id });
    if (decision.type === "fetch") return decision;
    const { table, node } = this.#collaborators;
    if (decision.id === this.#self) {
      return { ...decision, addresses: node.getMultiaddrs().map(withoutPeer) };
    }
    const peer = table.find(decision.id);
    const endpoints = (peer && table.mapped(peer))?.endpoints ?? [];
    return { ...decision, addresses: endpoints.map(toMultiaddrString) };
  }

  /** Who is named is reached where it said itself, else where the home says. */
  #understand(reply: Reply): Turn | undefined {
    if (reply.type === "fetch") return reply;
    if (reply.id === this.#self) return undefined;
    const { table, toPeer } = this.#collaborators;
    const known = table.find(reply.id);
    const peer = (known && table.mapped(known)?.peer) ?? toPeerOf(reply, toPeer);
    return peer && { type: "follow", peer, depth: reply.depth };
  }
}

function toPeerOf(
  { id, addresses }: Extract<Reply, { type: "follow" }>,
  toPeer: PeerMapper,
): Peer | undefined {
  try {
    const info = { id: peerIdFromString(id), multiaddrs: addresses.map((at) => multiaddr(at)) };
    return toPeer(info)?.peer;
  } catch {
    return undefined;
  }
}

function withoutPeer(address: { toString(): string }): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, "");
}

/** Tells whether `a` is nearer to the target by XOR than `b` (Kademlia DHT specification). */
function isNearer(a: Uint8Array, b: Uint8Array, target: Uint8Array): boolean {
  for (const [at, byte] of target.entries()) {
    const difference = ((a[at] ?? 0) ^ byte) - ((b[at] ?? 0) ^ byte);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
