import type { Connection, Stream } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import type { Log } from "../../ports/log.ts";
import { FrameDecoder, readStream } from "../dht/dht_stream.ts";
import {
  type AssignmentReply,
  decodeQuestion,
  encodeFetchTreeMessage,
  type Question,
} from "./fetch_tree_message.ts";

/** Idle timeout of a stream, ms; the same as the DHT's. */
const IDLE_MS = 60_000;
/** Maximum questions in one chunk: as many as a node may leave unanswered. */
const MAX_AT_ONCE = 256;
/** How long a peer may take to read an answer, ms. */
const SEND_TIMEOUT_MS = 1000;

export interface CoordinatorCollaborators {
  /** Answers a question of the node with this id. */
  readonly decide: (id: string, question: Question) => AssignmentReply;
  readonly log: Log;
}

/** Answers the questions on one stream until the peer closes it. Never rejects. */
export async function serveCoordinator(
  { decide, log }: CoordinatorCollaborators,
  stream: Stream,
  connection: Connection,
): Promise<void> {
  const id = connection.remotePeer.toString();
  const end = () => stream.abort(new Error("the stream was idle"));
  let idle = setTimeout(end, IDLE_MS);
  try {
    const frames = new FrameDecoder();
    for await (const piece of readStream(stream)) {
      clearTimeout(idle);
      let questions = 0;
      for (const frame of frames.push(piece)) {
        if (++questions > MAX_AT_ONCE) throw new Error("too many questions at once");
        const isTaken = stream.send(encodeFetchTreeMessage(decide(id, decodeQuestion(frame))));
        if (!isTaken && stream.status === "open" && stream.writableNeedsDrain) {
          using limit = deadline(SEND_TIMEOUT_MS);
          await stream.onDrain(limit);
        }
      }
      idle = setTimeout(end, IDLE_MS);
    }
    if (stream.status !== "open") return;
    using limit = deadline(SEND_TIMEOUT_MS);
    await stream.close(limit);
  } catch (error) {
    log.debug("a coordinator stream failed", { peer: id, error });
    stream.abort(errorOf(error));
  } finally {
    clearTimeout(idle);
  }
}
