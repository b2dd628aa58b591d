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

/** Nodes without support, such as Spegel's, are neither asked nor assigned. */
const { rollout: ROLLOUT_PROTOCOL } = STREAM_PROTOCOLS;

/** Time after which an answer is late, ms: answers take a few. */
const ANSWER_TIMEOUT_MS = 250;
/**
 * Deadline of a late coordinator that accepts connections, ms: nodes are busy at the start of a
 * rollout, and each unanswered question costs upstream another download.
 */
const LATE_TIMEOUT_MS = 1000;
/** Deadline of a connection to a coordinator, ms: its kernel accepts one however busy it is. */
const CONNECT_TIMEOUT_MS = 150;
/** How long a coordinator gets no extra time after it was late, ms. */
const LATE_FOR_MS = 10_000;
/** How long an unreachable coordinator is not asked, ms: by then it is known whether it is dead. */
const UNREACHABLE_FOR_MS = 2000;
/**
 * Coordinators asked one after the other, and the deadline for all of them, ms: an answer of the
 * next one costs upstream less than if each node went there by itself.
 */
const MAX_ASKED = 3;
const TOTAL_TIMEOUT_MS = LATE_TIMEOUT_MS + ANSWER_TIMEOUT_MS;
const MAX_REMEMBERED = 256;
/** Nearest peers of a key among which the coordinator is looked for. */
const MAX_CONSIDERED = 16;
/** Maximum streams per peer: one suffices. */
const MAX_STREAMS = 4;
/** What a coordinator assigns. */
type CoordinatorAssignment = Exclude<Assignment, { type: "leave" }>;

export interface FetchTreesCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly node: Libp2p;
  readonly table: RoutingTable;
  readonly toPeer: PeerMapper;
  /** Zone of this node; undefined if it is not known (yet). */
  readonly zone: () => string | undefined;
  /**
   * Tells whether a peer is dead: it is not asked. A peer that is only slow to answer pings is
   * asked: if some nodes skipped it and others did not, two coordinators would each assign a
   * fetcher.
   */
  readonly isDown: (id: string) => boolean;
  /** Called with a peer that did not answer. */
  readonly onFailure: (peer: PeerId) => void;
  /** Tells whether a peer accepts a TCP connection before the signal aborts. Does not reject. */
  readonly takesConnections: (peer: PeerId, options: Cancellable) => Promise<boolean>;
  readonly metrics: Pick<Metrics, "electionHeld">;
}

/**
 * Agrees with other nodes on who fetches content from upstream. The node nearest to a key in the
 * DHT's metric, possibly this one, is its coordinator and assigns all nodes that ask. Nothing is
 * replicated: if two nodes act as coordinator, or it dies, upstream sends a little more.
 */
export class FetchTrees implements Elections {
  readonly #collaborators: FetchTreesCollaborators;
  readonly #election: Election;
  readonly #client: StreamClient<AssignmentReply>;
  readonly #expectations: Expectations;
  /** When coordinators were late, by id. */
  readonly #late = new LRUCache<string, number>({ max: MAX_REMEMBERED });
  /** When coordinators were unreachable, by id. */
  readonly #unreachable = new LRUCache<string, number>({ max: MAX_REMEMBERED });
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

  /** Starts answering other nodes. */
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

  stop(): void {
    this.#started = false;
    this.#client.stop();
  }

  /** The fetch trees that this node coordinates. */
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
    // A repeated question: the content has not arrived, and children must not wait for it again.
    if (failed === undefined) {
      if (expectations.hasGivenUp(key)) return { type: "leave" };
      expectations.asked(key, TOTAL_TIMEOUT_MS);
    }
    const question = { key, small, zone: zone(), ...(failed !== undefined && { failed, slow }) };
    const assigned = await this.#ask(question, { signal });
    if (signal.aborted) return undefined;
    metrics.electionHeld(assigned?.type ?? "no-answer");
    // Without an answer this node goes to upstream, as if assigned to fetch.
    if (assigned?.type !== "follow") expectations.coming(key, 0);
    else if (failed === undefined) expectations.coming(key, assigned.depth + 1);
    return assigned;
  }

  /** Asks the nearest coordinator; another if that does not answer. Does not reject. */
  async #ask(question: Question, options: Cancellable): Promise<CoordinatorAssignment | undefined> {
    const { clock, log } = this.#collaborators;
    const began = clock.now();
    const { key, failed } = question;
    let lateMs = LATE_TIMEOUT_MS;
    for await (const coordinator of this.#coordinators(key, options)) {
      const usualMs = Math.min(ANSWER_TIMEOUT_MS, began + TOTAL_TIMEOUT_MS - clock.now());
      if (coordinator !== undefined && usualMs <= 0) break;
      try {
        const reply = coordinator === undefined
          ? this.#decide(this.#self, question)
          : await this.#askCoordinator(coordinator, question, { ...options, usualMs, lateMs });
        const assigned = this.#toAssignment(reply);
        const home = coordinator?.toString() ?? "self";
        const ms = Math.round(clock.now() - began);
        const { peer, depth } = assigned?.type === "follow" ? assigned : {};
        log.debug("turn", { key, failed, turn: assigned?.type, home, ms, peer: peer?.id, depth });
        return assigned;
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
      // One late coordinator is busy; if the next is late as well, upstream is the better choice.
      lateMs = ANSWER_TIMEOUT_MS;
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
    let isAlive = true;
    try {
      return await patientQuestion(
        (limit) => this.#client.ask(coordinator, encodeFetchTreeMessage(question), limit),
        async () => {
          using limit = fairDeadline(CONNECT_TIMEOUT_MS, { signal });
          isAlive = await takesConnections(coordinator, limit);
          return isAlive && !wasLate;
        },
        { usualMs, lateMs, signal },
      );
    } catch (error) {
      if (signal.aborted) throw error;
      this.#late.set(name, clock.now());
      // A late coordinator is busy; an unreachable one may be dead.
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      if (!isLate || !isAlive) {
        this.#unreachable.set(name, clock.now());
        onFailure(coordinator);
      }
      throw error;
    }
  }

  /**
   * The peers nearest to the key that support the protocol, one after the other; undefined stands
   * for this node, and is the last.
   */
  async *#coordinators(key: string, options: Cancellable): AsyncGenerator<PeerId | undefined> {
    const { table, isDown, node, clock } = this.#collaborators;
    const target = kademliaId(dhtKey(key).multihash);
    let asked = 0;
    for (const { peer, position } of table.nearest(target, MAX_CONSIDERED)) {
      if (asked >= MAX_ASKED) return;
      if (isNearer(this.#position, position, target)) break;
      const unreachableAt = this.#unreachable.get(peer.toString()) ?? -Infinity;
      if (isDown(peer.toString()) || clock.now() - unreachableAt < UNREACHABLE_FOR_MS) continue;
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

  /** The parent's own announced addresses take precedence over the coordinator's. */
  #toAssignment(reply: AssignmentReply): CoordinatorAssignment | undefined {
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
