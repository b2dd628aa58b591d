import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { ANSWER_HEADERS } from "../../oci/peer_protocol.ts";
import { parseTagTime } from "../../oci/tag_time.ts";
import { isPrivate, type Part } from "../http/answer.ts";
import type { PeerReply } from "../http/peer_client.ts";
import type { Sender } from "../http/sender.ts";

/** What a {@link Source} is made of. */
export interface SourceInit {
  readonly peer: Peer;
  readonly reply: PeerReply;
  readonly descriptor: Descriptor;
  /** The part of the content that the body holds. */
  readonly part: Part;
  /** The peer is still getting the content itself. */
  readonly arriving?: boolean;
  /** Set for a parent: the number of nodes between it and upstream. */
  readonly depth?: number | undefined;
  /** Ends the accounting of the request. */
  readonly release: () => void;
  readonly clock: Pick<Clock, "sleep">;
}

/**
 * Sizes of read buffers: large ones for fast peers, since each read costs the same whatever it
 * brings, small ones for slow peers.
 */
const MIN_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;
/**
 * In a long body, a read that empties the socket is followed by this pause, ms. The kernel collects
 * meanwhile what the next read brings at once: at 1 Gbit/s that saves a quarter of the CPU time.
 */
const COLLECT_MS = 1;
/** From so many bytes on a body is long. */
const LONG_BYTES = 1024 * 1024;

/**
 * A peer that follows others may take this much longer for each node between it and upstream, ms.
 * When one of them stalls, all below it do: the nodes next to it are to switch first, so that the
 * others need not.
 */
const PATIENCE_PER_NODE_MS = 300;

/** A body that one peer sends. */
export class Source implements Sender {
  readonly peer: Peer;
  readonly address: string;
  readonly isProven: boolean;
  readonly descriptor: Descriptor;
  readonly part: Part;
  /** The peer says that the content is private. */
  readonly isPrivate: boolean;
  /** When the tag last changed, as the peer says, ms since 1970. */
  readonly tagTime: number | undefined;
  /** The body is a list that the peer continues elsewhere (RFC 8288). */
  readonly goesOn: boolean;
  /** The peer is still getting the content itself, and has little more than it has sent. */
  readonly arriving: boolean;
  /** The peer is a parent: it gets the content from upstream, or from a node that does. */
  readonly isParent: boolean;
  /** How much longer than usual waits for bytes may take, ms. */
  readonly patienceMs: number;
  readonly #reply: PeerReply;
  readonly #release: () => void;
  readonly #clock: Pick<Clock, "sleep">;
  #readBytes = MIN_READ_BYTES;
  #bytes = 0;
  #drained = false;

  constructor(
    { peer, reply, descriptor, part, arriving = false, depth, release, clock }: SourceInit,
  ) {
    this.arriving = arriving;
    this.patienceMs = depth === undefined ? 0 : (depth + 1) * PATIENCE_PER_NODE_MS;
    this.isParent = depth !== undefined;
    this.peer = peer;
    this.address = reply.address;
    this.isProven = reply.isProven;
    this.descriptor = descriptor;
    this.part = part;
    this.isPrivate = isPrivate(reply.headers);
    this.goesOn = reply.headers.get("link") !== null;
    this.tagTime = parseTagTime(reply.headers.get(ANSWER_HEADERS.tagTime));
    this.#reply = reply;
    this.#release = release;
    this.#clock = clock;
  }

  /** The next bytes; undefined at the end. Rejects when the connection breaks or is aborted. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#drained && this.#bytes >= LONG_BYTES) await this.#clock.sleep(COLLECT_MS);
    const bytes = await this.#reply.body.read(this.#readBytes);
    if (bytes === undefined) return undefined;
    this.#bytes += bytes.length;
    this.#drained = bytes.length < this.#readBytes;
    this.#readBytes = Math.min(Math.max(2 * bytes.length, MIN_READ_BYTES), MAX_READ_BYTES);
    return bytes;
  }

  /** Ends the exchange. The connection is reused if all of the body has been read, else closed. */
  close(): void {
    this.#release();
    this.#reply.body.close();
  }
}
