import { errorOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Content } from "./answer.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** How a body ended. */
export interface BodyEnd {
  /** Bytes handed to the connection. */
  readonly bytes: number;
  /** Why it is not complete; undefined if it is. */
  readonly error?: Error;
  /** Who ended it; `stop` if the signal did. */
  readonly by: "source" | "client" | "stop";
}

/** A rate that a body is held to. */
export interface Pace {
  /** The most bytes that are passed on at once. */
  readonly pieceBytes: number;
  /**
   * Undefined if so many bytes may be passed on now, else a promise that resolves when they may.
   */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined;
}

/** Settings of {@link observeBody}. */
export interface ObserveBodyOptions extends Cancellable {
  /** Bytes that the body must have. */
  length: number;
  /**
   * Frees the memory of each chunk as soon as the next one is read: the reader must be done with it
   * by then. Default false: the memory is collected some time later.
   */
  freeTaken?: boolean;
  /** Holds the body to a rate; default: none. */
  pace?: Pace;
  /** Called once, when the body has ended in any way. Must not throw. */
  onEnd: (end: BodyEnd) => void;
}

/**
 * Passes a body on, chunk by chunk as the connection asks for them, and reports how it ended. A
 * source that errors, or has another length than announced, errors the result: the server then
 * breaks the connection, so that a client never takes a part for all of the content. Cancelling the
 * result cancels the source; so does the signal, which also breaks the connection.
 */
export function observeBody(source: Content, options: ObserveBodyOptions): Content {
  const { length, onEnd, signal, pace } = options;
  const pieces = new Pieces(source.getReader(), options);
  const over = new AbortController();
  let bytes = 0;
  let ended = false;
  let onAbort = () => {};
  const end = (by: BodyEnd["by"], error?: Error) => {
    if (ended) return;
    ended = true;
    over.abort();
    signal.removeEventListener("abort", onAbort);
    onEnd(error === undefined ? { bytes, by } : { bytes, error, by });
  };
  const fail = (
    controller: ReadableStreamDefaultController,
    by: BodyEnd["by"],
    thrown: unknown,
  ): Promise<void> => {
    const error = errorOf(thrown);
    end(by, error);
    controller.error(error);
    return pieces.drop(error);
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      onAbort = () => void fail(controller, "stop", signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const piece = await pieces.next();
        if (ended) return;
        const total = bytes + (piece?.length ?? 0);
        requireLength(length, total, piece === undefined);
        if (piece === undefined) {
          end("source");
          controller.close();
          return;
        }
        if (pace !== undefined) {
          await pace.take(piece.length, over.signal);
          if (ended) return;
        }
        bytes = total;
        controller.enqueue(piece);
      } catch (thrown) {
        if (!ended) await fail(controller, "source", thrown);
      }
    },
    async cancel(reason) {
      // A server that has sent the announced length may cancel instead of reading on to the end.
      const error = bytes === length ? undefined : new Error("the client went away");
      end("client", error);
      await pieces.drop(reason);
    },
  }, { highWaterMark: 0 });
}

/** @throws if a body has more bytes than announced, or ends with fewer. */
function requireLength(length: number, bytes: number, isEnd: boolean): void {
  if (bytes === length || (bytes < length && !isEnd)) return;
  throw new Error(`content has ${isEnd ? bytes : "more"} bytes, announced were ${length}`);
}

/** A source's chunks, cut to the size in which they are passed on. */
class Pieces {
  readonly #reader: ReadableStreamDefaultReader<Chunk>;
  readonly #mostBytes: number;
  readonly #freeTaken: boolean;
  #chunk: Chunk = new Uint8Array(0);
  #left: Chunk = this.#chunk;

  constructor(
    reader: ReadableStreamDefaultReader<Chunk>,
    { pace, freeTaken = false }: ObserveBodyOptions,
  ) {
    this.#reader = reader;
    this.#mostBytes = pace?.pieceBytes ?? Infinity;
    this.#freeTaken = freeTaken;
  }

  /** Undefined at the end. */
  async next(): Promise<Chunk | undefined> {
    if (this.#left.length === 0) {
      if (this.#freeTaken) free(this.#chunk);
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#chunk = this.#left = value;
    }
    const piece = this.#left.length <= this.#mostBytes
      ? this.#left
      : this.#left.subarray(0, this.#mostBytes);
    this.#left = this.#left.subarray(piece.length);
    return piece;
  }

  /** Cancels the source; an error of that changes nothing. */
  async drop(reason: unknown): Promise<void> {
    await this.#reader.cancel(reason).catch(() => {});
  }
}

/**
 * Frees a chunk's memory. Left to the garbage collector, fast bodies would use new pages all the
 * time, and the kernel spends more time on clearing pages than on the bytes.
 */
function free(chunk: Chunk): void {
  if (chunk.buffer.byteLength > 0) chunk.buffer.transfer(0);
}
