import type { Stream } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import { FrameDecoder, readStream } from "./dht_stream.ts";

/** Idle timeout of a stream, ms; the same as go-libp2p's servers. */
const IDLE_MS = 60_000;

/** What {@link serveFrames} is to do. */
export interface FrameService {
  /** Answers the messages of one chunk; an error closes the stream. */
  readonly answer: (
    messages: Iterable<Uint8Array>,
    send: (answer: Uint8Array) => Promise<void>,
  ) => Promise<void>;
  /** How long a peer may take to read an answer, ms. */
  readonly sendTimeoutMs: number;
  readonly onError: (error: unknown) => void;
}

/** Answers the messages on one stream until the peer closes it. Never rejects. */
export async function serveFrames(
  stream: Stream,
  { answer, sendTimeoutMs, onError }: FrameService,
): Promise<void> {
  const drained = async () => {
    // A broken stream would never report it.
    if (!stream.writableNeedsDrain || stream.status !== "open") return;
    using limit = deadline(sendTimeoutMs);
    await stream.onDrain(limit);
  };
  const send = async (bytes: Uint8Array) => {
    if (!stream.send(bytes)) await drained();
  };
  const end = () => stream.abort(new Error("the stream was idle"));
  let idle = setTimeout(end, IDLE_MS);
  try {
    const frames = new FrameDecoder();
    for await (const piece of readStream(stream)) {
      clearTimeout(idle);
      await answer(frames.push(piece), send);
      idle = setTimeout(end, IDLE_MS);
    }
    if (stream.status !== "open") return;
    await drained();
    using limit = deadline(sendTimeoutMs);
    await stream.close(limit);
  } catch (error) {
    onError(error);
    stream.abort(errorOf(error));
  } finally {
    clearTimeout(idle);
  }
}
