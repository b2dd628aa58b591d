import type { Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { LRUCache } from "lru-cache";
import { fairDeadline } from "../../async/fair_deadline.ts";
import { STREAM_PROTOCOLS } from "../../oci/peer_protocol.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Peer } from "../../ports/router.ts";
import type { Assignment, AssignmentOptions, Elections } from "../../ports/rollout.ts";
import { toMultiaddrString } from "../libp2p/address.ts";
import { dhtKey, kademliaId } from "../dht/dht_key.ts";
import type { PeerMapper } from "../peers/peer_mapper.ts";
import type { RoutingTable } from "../peers/routing_table.ts";
import { StreamClient } from "../dht/stream_client.ts";
import { Election, type RolloutState } from "./election.ts";
import { Expectations } from "./expectations.ts";
import { type PatienceOptions, patientQuestion } from "./patient_question.ts";
import {
  type AssignmentReply,
  decodeAssignmentReply,
  encodeFetchTreeMessage,
  type Question,
} from "./fetch_tree_message.ts";
import { serveCoordinator } from "./coordinator_server.ts";

/** Nodes that do not speak it, such as Spegel's, are neither asked nor named. */
const { rollout: ROLLOUT_PROTOCOL } = STREAM_PROTOCOLS;

/** A question that is not answered by then is late, ms: answers take a few. */
const TURN_TIMEOUT_MS = 250;
/**
 * A coordinator that is late yet takes connections is waited for so long in all, ms: just when a rollout
 * begins nodes have much else to do, and a question less costs upstream an image more.
 */
const LATE_TIMEOUT_MS = 1000;
/** Time in which a coordinator has to take a connection, ms: its kernel does, however busy it is. */
const CONNECT_TIMEOUT_MS = 150;
/** Who was late for so long once is not waited for longer than usual again, ms. */
const LATE_FOR_MS = 10_000;
/** Who could not be reached is not asked for so long, ms: until then it is known whether it is dead. */
const GONE_FOR_MS = 2000;
/**
 * Homes that are asked, one after the other, and the time for it all, ms: what the next one says
 * costs upstream less than if each went there by itself.
 */
const MAX_ASKED = 3;
const TURN_BOUND_MS = LATE_TIMEOUT_MS + TURN_TIMEOUT_MS;
const MAX_NOTED = 256;
/** Peers nearest to a key among which one that speaks the protocol is looked for. */
const MAX_HOMES = 16;
/** Streams of one peer: one is all that is needed. */
const MAX_STREAMS = 4;
/** What coordinators say. */
type Told = Exclude<Assignment, { type: "leave" }>;

/** Collaborators of {@link FetchTrees}. */
export interface FetchTreesCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly node: Libp2p;
  readonly table: RoutingTable;
  readonly toPeer: PeerMapper;
  /** Zone of this node; undefined if it is not known (yet). */
  readonly zone: () => string | undefined;
  /**
   * Peers that are not asked: those known to be dead. Who is only slow to answer pings is: if some
   * nodes passed it over and others did not, both would go upstream.
   */
  readonly isDown: (id: string) => boolean;
  /** A peer did not answer. */
  readonly onFailure: (peer: PeerId) => void;
  /** Tells whether a peer's host takes a connection for it before the signal aborts. Does not reject. */
  readonly takesConnections: (peer: PeerId, options: Cancellable) => Promise<boolean>;
  readonly metrics: Pick<Metrics, "electionHeld">;
}

/**
 * Agrees with other nodes on who gets content from upstream. The node nearest to a key in the DHT's
 * metric, be it this one, decides for all that ask; it is not elected and nothing is replicated: if
 * two nodes take themselves for it, or it dies, upstream sends a little more.
 */
export class FetchTrees implements Elections {
  readonly #collaborators: FetchTreesCollaborators;
  readonly #election: Election;
  readonly #client: StreamClient<AssignmentReply>;
  readonly #expectations: Expectations;
  /** When coordinators were late, by id. */
  readonly #late = new LRUCache<string, number>({ max: MAX_NOTED });
  /** When they could not be reached. */
  readonly #gone = new LRUCache<string, number>({ max: MAX_NOTED });
  readonly #self: string;
  readonly #position: Uint8Array;
  #started = false;

  constructor(collaborators: FetchTreesCollaborators) {
    const { node, clock } = collaborators;
    this.#collaborators = collaborators;
    this.#election = new Election(clock);
    this.#expectations = new Expectations(clock);
    this.#client = new StreamClient({
      openStream: (peer, limit) => node.dialProtocol(peer, ROLLOUT_PROTOCOL, limit),
      decode: decodeAssignmentReply,
      clock,
    }, { requestTimeoutMs: LATE_TIMEOUT_MS });
    this.#self = node.peerId.toString();
    this.#position = kademliaId(node.peerId.toMultihash().bytes);
  }

  /** Begins to answer other nodes. */
  async start(): Promise<void> {
    const { node, log } = this.#collaborators;
    const decide = (id: string, question: Question) => this.#decide(id, question);
    await node.handle(
      ROLLOUT_PROTOCOL,
      (stream, connection) => serveCoordinator({ decide, log }, stream, connection),
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
    this.#expectations.gaveUp(key);
  }

  /** {@inheritDoc Elections.expects} */
  expects(key: string): boolean {
    return this.#expectations.has(key);
  }

  /** {@inheritDoc Elections.assign} */
  async assign(key: string, options: AssignmentOptions): Promise<Assignment | undefined> {
    const { table, metrics, zone } = this.#collaborators;
    if (!this.#started) return undefined;
    if (table.size === 0) return { type: "fetch" };
    const { small, failed, slow = false, signal } = options;
    const expectations = this.#expectations;
    // Asked again, it has not come: those who follow this node are not to wait once more for that.
    if (failed === undefined) {
      if (expectations.hasGivenUp(key)) return { type: "leave" };
      expectations.asked(key, TURN_BOUND_MS);
    }
    const question = { key, small, zone: zone(), ...(failed !== undefined && { failed, slow }) };
    const turn = await this.#ask(question, { signal });
    if (signal.aborted) return undefined;
    metrics.electionHeld(turn?.type ?? "no-answer");
    // Who is told nothing goes upstream like one that is told to.
    if (turn?.type !== "follow") expectations.coming(key, 0);
    else if (failed === undefined) expectations.coming(key, turn.depth + 1);
    return turn;
  }

  /** Asks the nearest coordinator; another if that does not answer. Does not reject. */
  async #ask(question: Question, options: Cancellable): Promise<Told | undefined> {
    const { clock, log } = this.#collaborators;
    const began = clock.now();
    const { key, failed } = question;
    let lateMs = LATE_TIMEOUT_MS;
    for await (const coordinator of this.#coordinators(key, options)) {
      const usualMs = Math.min(TURN_TIMEOUT_MS, began + TURN_BOUND_MS - clock.now());
      if (coordinator !== undefined && usualMs <= 0) break;
      try {
        const reply = coordinator === undefined
          ? this.#decide(this.#self, question)
          : await this.#askCoordinator(coordinator, question, { ...options, usualMs, lateMs });
        const turn = this.#understand(reply);
        log.debug("turn", {
          ...{ key, failed, turn: turn?.type, home: coordinator?.toString() ?? "self" },
          ms: Math.round(clock.now() - began),
          ...(turn?.type === "follow" ? { peer: turn.peer.id, depth: turn.depth } : {}),
        });
        return turn;
      } catch (error) {
        if (options.signal.aborted) return undefined;
        const ms = Math.round(clock.now() - began);
        log.debug("a coordinator did not answer", {
          key,
          peer: coordinator?.toString(),
          ms,
          error,
        });
      }
      // One late coordinator is a busy one; where the next is late, too, upstream is the better choice.
      lateMs = TURN_TIMEOUT_MS;
    }
    return undefined;
  }

  async #askCoordinator(
    coordinator: PeerId,
    question: Question,
    { signal, usualMs, lateMs }: PatienceOptions,
  ): Promise<AssignmentReply> {
    const { clock, takesConnections, onFailure } = this.#collaborators;
    const name = coordinator.toString();
    const wasLate = clock.now() - (this.#late.get(name) ?? -Infinity) < LATE_FOR_MS;
    let isThere = true;
    try {
      return await patientQuestion(
        (limit) => this.#client.ask(coordinator, encodeFetchTreeMessage(question), limit),
        async () => {
          using limit = fairDeadline(CONNECT_TIMEOUT_MS, { signal });
          isThere = await takesConnections(coordinator, limit);
          return isThere && !wasLate;
        },
        { usualMs, lateMs, signal },
      );
    } catch (error) {
      if (signal.aborted) throw error;
      this.#late.set(name, clock.now());
      // Who is late is busy; who cannot be reached may be gone.
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      if (!isLate || !isThere) {
        this.#gone.set(name, clock.now());
        onFailure(coordinator);
      }
      throw error;
    }
  }

  /**
   * The peers nearest to the key that speak the protocol, one after the other; undefined stands for
   * this node, and is the last.
   */
  async *#coordinators(key: string, options: Cancellable): AsyncGenerator<PeerId | undefined> {
    const { table, isDown, node, clock } = this.#collaborators;
    const target = kademliaId(dhtKey(key).multihash);
    let asked = 0;
    for (const { peer, position } of table.nearest(target, MAX_HOMES)) {
      if (asked >= MAX_ASKED) return;
      if (isNearer(this.#position, position, target)) break;
      const goneAt = this.#gone.get(peer.toString()) ?? -Infinity;
      if (isDown(peer.toString()) || clock.now() - goneAt < GONE_FOR_MS) continue;
      const { protocols } = await node.peerStore.get(peer, options)
        .catch(() => ({ protocols: [] as string[] }));
      if (!protocols.includes(ROLLOUT_PROTOCOL)) continue;
      asked++;
      yield peer;
    }
    yield undefined;
  }

  #decide(id: string, question: Question): AssignmentReply {
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

  /** Who is named is reached where it said itself, else where the coordinator says. */
  #understand(reply: AssignmentReply): Told | undefined {
    if (reply.type === "fetch") return reply;
    if (reply.id === this.#self) return undefined;
    const { table, toPeer } = this.#collaborators;
    const known = table.find(reply.id);
    const peer = (known && table.mapped(known)?.peer) ?? toPeerOf(reply, toPeer);
    return peer && { type: "follow", peer, depth: reply.depth };
  }
}

function toPeerOf(
  { id, addresses }: Extract<AssignmentReply, { type: "follow" }>,
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
