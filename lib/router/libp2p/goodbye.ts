import type { Connection, Libp2p, PeerId, Stream } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import { STREAM_PROTOCOLS } from "../../oci/peer_protocol.ts";
import type { Log } from "../../ports/log.ts";

/**
 * Opening a stream of this protocol announces that the node leaves. No data is sent. The connection
 * is authenticated, so no node can announce another's departure; nodes without support reject the
 * stream, without further effect.
 */
const { goodbye: GOODBYE_PROTOCOL } = STREAM_PROTOCOLS;

/** Deadline of telling all peers; the others find out by their monitors. */
const TIMEOUT_MS = 500;
/** Peers told concurrently. */
const CONCURRENCY = 64;
/** Maximum streams per peer: one suffices. */
const MAX_STREAMS = 2;

export interface GoodbyeCollaborators {
  readonly node: Libp2p;
  readonly log: Log;
  /** A peer leaves. */
  readonly onLeave: (peer: PeerId) => void;
  /** A peer that may have left before has a new connection. */
  readonly onReturn: (peer: PeerId) => void;
}

/** Announces this node's departure, and receives those of peers. */
export class Goodbye {
  readonly #collaborators: GoodbyeCollaborators;
  readonly #unlisten = new DisposableStack();
  #leaving = false;

  constructor(collaborators: GoodbyeCollaborators) {
    this.#collaborators = collaborators;
  }

  /** True once this node leaves. */
  get leaving(): boolean {
    return this.#leaving;
  }

  async start(): Promise<void> {
    const { node } = this.#collaborators;
    const listener: EventListener = (event) =>
      this.#connected((event as CustomEvent<Connection>).detail);
    node.addEventListener("connection:open", listener as never);
    this.#unlisten.defer(() => node.removeEventListener("connection:open", listener as never));
    await node.handle(
      GOODBYE_PROTOCOL,
      (stream, connection) => this.#received(stream, connection),
      {
        maxInboundStreams: MAX_STREAMS,
      },
    );
  }

  stop(): void {
    this.#unlisten.dispose();
  }

  /**
   * Tells all connected peers, and each that connects later. Does not reject; resolves within half
   * a second.
   *
   * @returns the number of peers that were told.
   */
  async say(): Promise<number> {
    this.#leaving = true;
    const connections = this.#collaborators.node.getConnections();
    using limit = deadline(TIMEOUT_MS);
    let next = 0;
    let told = 0;
    const work = async () => {
      for (let at = next++; at < connections.length && !limit.signal.aborted; at = next++) {
        const connection = connections[at];
        if (connection !== undefined && await this.#tell(connection, limit.signal)) told++;
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    return told;
  }

  async #tell(connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { node, log } = this.#collaborators;
    const peer = connection.remotePeer;
    try {
      // Identify may not have finished for a new connection.
      const { protocols } = await node.peerStore.get(peer, { signal })
        .catch(() => ({ protocols: [] as string[] }));
      if (protocols.length > 0 && !protocols.includes(GOODBYE_PROTOCOL)) return false;
      const stream = await connection.newStream(GOODBYE_PROTOCOL, { signal });
      await stream.close({ signal });
      return true;
    } catch (error) {
      log.debug("saying goodbye to a peer failed", {
        peer: peer.toString(),
        error,
      });
      return false;
    }
  }

  #received(stream: Stream, connection: Connection): void {
    this.#collaborators.onLeave(connection.remotePeer);
    const limit = deadline(TIMEOUT_MS);
    stream.close(limit).catch((error) => {
      this.#collaborators.log.debug("closing the stream of a goodbye failed", { error });
      stream.abort(errorOf(error));
    }).finally(() => limit[Symbol.dispose]());
  }

  #connected(connection: Connection): void {
    this.#collaborators.onReturn(connection.remotePeer);
    if (!this.#leaving) return;
    const limit = deadline(TIMEOUT_MS);
    this.#tell(connection, limit.signal).finally(() => limit[Symbol.dispose]());
  }
}
