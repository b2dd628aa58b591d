import type { Connection, Stream } from "@libp2p/interface";
import type { Log } from "../../ports/log.ts";
import { serveFrames } from "../dht/serve_frames.ts";
import {
  type AssignmentReply,
  decodeQuestion,
  encodeFetchTreeMessage,
  type Question,
} from "./fetch_tree_message.ts";

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
  await serveFrames(stream, {
    sendTimeoutMs: SEND_TIMEOUT_MS,
    answer: async (messages, send) => {
      let questions = 0;
      for (const message of messages) {
        if (++questions > MAX_AT_ONCE) throw new Error("too many questions at once");
        await send(encodeFetchTreeMessage(decide(id, decodeQuestion(message))));
      }
    },
    onError: (error) => log.debug("a coordinator stream failed", { peer: id, error }),
  });
}
