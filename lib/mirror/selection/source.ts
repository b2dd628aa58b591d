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
  /** Part of the content that the body holds. */
  readonly part: Part;
  /** The peer is still getting it itself. */
  readonly arriving?: boolean;
  /** Set for an elected one: how many nodes are between it and upstream. */
  readonly depth?: number | undefined;
  /** Ends the accounting of the request. */
  readonly release: () => void;
  readonly clock: Pick<Clock, "sleep">;
}

/**
 * Buffers that reads are given: large ones for fast peers, since each read costs the same whatever
 * it brings, small ones for slow peers.
 */
const MIN_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;
/**
 * In a long body, a read that left nothing in the socket is followed by so long a pause, ms, in
 * which the kernel collects what the next one brings at once: at 1 Gbit/s that saves a quarter of
 * the processor's work.
 */
const COLLECT_MS = 1;
/** Bodies are not long before so many bytes. */
const LONG_BYTES = 1024 * 1024;

/**
 * A node that follows others is waited for so much longer, for each node between this one and
 * upstream, ms: when one of them stands still all below it do, and those next to it are to go on
 * elsewhere first. The rest then has nothing to do.
 */
const PATIENCE_PER_NODE_MS = 300;

/** A body that one peer sends. */
export class Source implements Sender {
  readonly peer: Peer;
  readonly address: string;
  readonly isProven: boolean;
  readonly descriptor: Descriptor;
  readonly part: Part;
  /** The peer says that not everybody may have it. */
  readonly isPrivate: boolean;
  /** When the tag's record changed last, as the peer says, ms since 1970. */
  readonly tagTime: number | undefined;
  /** The peer is still getting it itself: it has not got far beyond what it has sent. */
  readonly arriving: boolean;
  /** The peer was named to follow: it gets it from upstream, or from one that does. */
  readonly isTrusted: boolean;
  /** Waits for bytes may be so much longer than usual, ms. */
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
    this.isTrusted = depth !== undefined;
    this.peer = peer;
    this.address = reply.address;
    this.isProven = reply.isKnown;
    this.descriptor = descriptor;
    this.part = part;
    this.isPrivate = isPrivate(reply.headers);
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

  /**
   * Ends the exchange. If all of the body has been read its connection is used again; otherwise the
   * peer sees it closed.
   */
  close(): void {
    this.#release();
    this.#reply.body.close();
  }
}
