import type { Connection, Libp2p, PeerId, Stream } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import { STREAM_PROTOCOLS } from "../../oci/peer_protocol.ts";
import type { Log } from "../../ports/log.ts";

/**
 * Opening a stream of this protocol says: I leave. Nothing is sent on it. Who says so is known from
 * the connection, which both sides have authenticated, so nobody can say it for somebody else; nodes
 * that do not speak it refuse the stream and are none the worse for it.
 */
const { goodbye: GOODBYE_PROTOCOL } = STREAM_PROTOCOLS;

/** Time in which everybody is told; those who are not by then find out by themselves. */
const SAY_TIMEOUT_MS = 500;
/** Peers that are told at the same time. */
const TOLD_AT_ONCE = 64;
/** Streams of one peer: one is all that is needed. */
const MAX_STREAMS = 2;

/** Collaborators of a {@link Goodbye}. */
export interface GoodbyeCollaborators {
  readonly node: Libp2p;
  readonly log: Log;
  /** A peer leaves. */
  readonly onLeave: (peer: PeerId) => void;
  /** A peer that may have left before has a new connection. */
  readonly onReturn: (peer: PeerId) => void;
}

/** Tells peers that this node leaves, and listens to those that do. */
export class Goodbye {
  readonly #collaborators: GoodbyeCollaborators;
  readonly #unlisten = new DisposableStack();
  #leaving = false;

  constructor(collaborators: GoodbyeCollaborators) {
    this.#collaborators = collaborators;
  }

  /** True once this node has said goodbye, or is about to. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const { node } = this.#collaborators;
    const listener: EventListener = (event) =>
      this.#connected((event as CustomEvent<Connection>).detail);
    node.addEventListener("connection:open", listener as never);
    this.#unlisten.defer(() => node.removeEventListener("connection:open", listener as never));
    await node.handle(GOODBYE_PROTOCOL, (stream, connection) => this.#heard(stream, connection), {
      maxInboundStreams: MAX_STREAMS,
    });
  }

  /** Stops listening. */
  stop(): void {
    this.#unlisten.dispose();
  }

  /**
   * Tells all peers that are connected, and from then on each that connects. Does not reject;
   * resolves within half a second.
   *
   * @returns how many were told.
   */
  async say(): Promise<number> {
    this.#leaving = true;
    const connections = this.#collaborators.node.getConnections();
    using limit = deadline(SAY_TIMEOUT_MS);
    let next = 0;
    let told = 0;
    const work = async () => {
      for (let at = next++; at < connections.length && !limit.signal.aborted; at = next++) {
        const connection = connections[at];
        if (connection !== undefined && await this.#tell(connection, limit.signal)) told++;
      }
    };
    await Promise.all(Array.from({ length: TOLD_AT_ONCE }, work));
    return told;
  }

  async #tell(connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { node, log } = this.#collaborators;
    const peer = connection.remotePeer;
    try {
      // A peer that has just connected has not said yet what it speaks.
      const { protocols } = await node.peerStore.get(peer, { signal })
        .catch(() => ({ protocols: [] as string[] }));
      if (protocols.length > 0 && !protocols.includes(GOODBYE_PROTOCOL)) return false;
      const stream = await connection.newStream(GOODBYE_PROTOCOL, { signal });
      await stream.close({ signal });
      return true;
    } catch (error) {
      log.debug("a peer could not be told that this node leaves", {
        peer: peer.toString(),
        error,
      });
      return false;
    }
  }

  #heard(stream: Stream, connection: Connection): void {
    this.#collaborators.onLeave(connection.remotePeer);
    const limit = deadline(SAY_TIMEOUT_MS);
    stream.close(limit).catch((error) => {
      this.#collaborators.log.debug("closing the stream of a goodbye failed", { error });
      stream.abort(errorOf(error));
    }).finally(() => limit[Symbol.dispose]());
  }

  #connected(connection: Connection): void {
    this.#collaborators.onReturn(connection.remotePeer);
    if (!this.#leaving) return;
    const limit = deadline(SAY_TIMEOUT_MS);
    this.#tell(connection, limit.signal).finally(() => limit[Symbol.dispose]());
  }
}
