import type { Cancellable } from "../ports.ts";
import type { Content } from "./answer.ts";

/** How a body ended. */
export interface BodyEnd {
  /** Bytes handed to the connection. */
  readonly bytes: number;
  /** Why it is not complete; undefined if it is. */
  readonly error?: Error;
  /** Who ended it; `stop` if the signal did. */
  readonly by: "source" | "client" | "stop";
}

/** Settings of {@link observeBody}. */
export interface ObserveBodyOptions extends Cancellable {
  /** Bytes that the body must have. */
  length: number;
  /** Called once, when the body has ended in whichever way. Must not throw. */
  onEnd: (end: BodyEnd) => void;
}

/**
 * Passes a body on, chunk by chunk as the connection asks for them, and reports how it ended. A
 * source that errors, or has another length than announced, errors the result: the server then
 * breaks the connection, so that a client never takes a part for the whole. Cancelling the result
 * cancels the source; so does the signal, which also breaks the connection.
 */
export function observeBody(source: Content, options: ObserveBodyOptions): Content {
  const { length, onEnd, signal } = options;
  const reader = source.getReader();
  let bytes = 0;
  let ended = false;
  let onAbort = () => {};
  const end = (by: BodyEnd["by"], error?: Error) => {
    if (ended) return;
    ended = true;
    signal.removeEventListener("abort", onAbort);
    onEnd(error === undefined ? { bytes, by } : { bytes, error, by });
  };
  const drop = (reason: unknown) =>
    reader.cancel(reason).catch(() => {
      // The source is given up; that it cannot even be cancelled changes nothing.
    });

  const fail = (
    controller: ReadableStreamDefaultController,
    by: BodyEnd["by"],
    thrown: unknown,
  ): Promise<void> => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    end(by, error);
    controller.error(connectionBreaker(error));
    return drop(error);
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      onAbort = () => void fail(controller, "stop", signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (ended) return;
        const total = bytes + (value?.byteLength ?? 0);
        if (total > length || (done && total < length)) {
          throw new Error(`content has ${done ? total : "more"} bytes, announced were ${length}`);
        }
        if (done) {
          end("source");
          controller.close();
        } else {
          bytes = total;
          controller.enqueue(value);
        }
      } catch (thrown) {
        if (!ended) await fail(controller, "source", thrown);
      }
    },
    async cancel(reason) {
      // A server that has sent the announced length may cancel instead of reading on to the end.
      const error = bytes === length ? undefined : new Error("the client went away");
      end("client", error);
      await drop(reason);
    },
  }, { highWaterMark: 0 });
}

/** The server prints the error of a broken body on standard error: one line, not a stack. */
function connectionBreaker(error: Error): Error {
  const breaker = new Error(`response body broke: ${error.message}`);
  delete breaker.stack;
  return breaker;
}
