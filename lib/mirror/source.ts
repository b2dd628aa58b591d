import type { Clock, Peer } from "../ports.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Part } from "./answer.ts";
import type { Reply } from "./peer_client.ts";

/** What a {@link Source} is made of. */
export interface SourceInit {
  readonly peer: Peer;
  readonly reply: Reply;
  readonly descriptor: Descriptor;
  /** Part of the content that the body holds. */
  readonly part: Part;
  /** Ends the accounting of the request. */
  readonly release: () => void;
}

/**
 * Buffers that reads are given: large ones for fast peers, since each read costs the same whatever
 * it brings, small ones for slow peers.
 */
const MIN_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;

/** A body that one peer sends. */
export class Source {
  readonly peer: Peer;
  readonly descriptor: Descriptor;
  readonly part: Part;
  readonly #reply: Reply;
  readonly #release: () => void;
  readonly #reader: ReadableStreamBYOBReader | undefined;
  #readBytes = MIN_READ_BYTES;

  constructor({ peer, reply, descriptor, part, release }: SourceInit) {
    this.peer = peer;
    this.descriptor = descriptor;
    this.part = part;
    this.#reply = reply;
    this.#release = release;
    this.#reader = reply.response.body?.getReader({ mode: "byob" });
  }

  /** The next bytes; undefined at the end. Rejects when the connection breaks or is aborted. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#reader === undefined) return undefined;
    const { done, value } = await this.#reader.read(new Uint8Array(this.#readBytes));
    if (done || value === undefined) return undefined;
    this.#readBytes = Math.min(Math.max(2 * value.length, MIN_READ_BYTES), MAX_READ_BYTES);
    return value;
  }

  /** Ends the exchange; the peer sees its connection closed. */
  abort(): void {
    this.#release();
    this.#reply.abort();
    this.#reader?.cancel().catch(() => {});
  }

  /** Ends the exchange after the last byte, so that the connection can be used again. */
  async finish(clock: Clock, graceMs: number): Promise<void> {
    this.#release();
    const timer = new AbortController();
    clock.sleep(graceMs, { signal: timer.signal }).then(() => this.abort(), () => {});
    try {
      if (await this.read() !== undefined) this.abort();
    } catch {
      this.abort();
    } finally {
      timer.abort();
    }
  }
}
