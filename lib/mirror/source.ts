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

/** A body that one peer sends. */
export class Source {
  readonly peer: Peer;
  readonly descriptor: Descriptor;
  readonly part: Part;
  readonly #reply: Reply;
  readonly #release: () => void;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;

  constructor({ peer, reply, descriptor, part, release }: SourceInit) {
    this.peer = peer;
    this.descriptor = descriptor;
    this.part = part;
    this.#reply = reply;
    this.#release = release;
    this.#reader = reply.response.body?.getReader();
  }

  /** The next bytes; undefined at the end. Rejects when the connection breaks or is aborted. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return (await this.#reader?.read())?.value;
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
      if ((await this.#reader?.read())?.done === false) this.abort();
    } catch {
      this.abort();
    } finally {
      timer.abort();
    }
  }
}
