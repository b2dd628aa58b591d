import { ANSWER_HEADERS } from "../../oci/peer_protocol.ts";
import type { Peer } from "../../ports/router.ts";
import { judgeAnswer, type Verdict, type Wanted } from "../http/answer.ts";
import type { PeerReply } from "../http/peer_client.ts";
import type { PenaltyBox } from "./penalty_box.ts";

/** What {@link judgeReply} judges. */
export interface JudgedReply {
  readonly peer: Peer;
  readonly reply: PeerReply;
  readonly wanted: Wanted;
}

/** Settings of {@link judgeReply}. */
export interface JudgeReplyOptions {
  readonly penalties: Pick<PenaltyBox, "isBannedRelay" | "suspicion">;
  /**
   * Whether this node accepts content that a peer is still getting itself, as it does where nodes
   * agree on which of them go upstream.
   */
  readonly follows: boolean;
}

/**
 * Judges a peer's answer, also by what is known of the peer. Content is verified by its digest. An
 * answer about a tag is accepted only from a node of the cluster.
 */
export function judgeReply(
  { peer, reply, wanted }: JudgedReply,
  { penalties, follows }: JudgeReplyOptions,
): Verdict {
  const { status, headers, address, passesProof, isProven } = reply;
  const verdict = judgeAnswer(status, headers, wanted);
  if (verdict.type !== "offer") return verdict;
  if (wanted.digest === undefined && !passesProof) {
    return { type: "refused", why: "it does not prove that it belongs to the cluster" };
  }
  if (isArriving(reply)) {
    // A peer that says so is excused for wrong content, of which liars would take advantage.
    if (!follows) return { type: "refused", why: "it is still getting it itself" };
    if (penalties.isBannedRelay({ peer, address })) {
      return { type: "refused", why: "it recently relayed wrong content" };
    }
  }
  const { knownFrom = Infinity, largeFrom = Infinity, suspicion = 0 } = wanted;
  const { descriptor: { size } } = verdict;
  const isUnwelcome = size >= knownFrom ||
    (size >= largeFrom && penalties.suspicion({ peer, address }) > suspicion);
  return !isProven && isUnwelcome
    ? { type: "stranger", why: "a proven peer may have it" }
    : verdict;
}

/** Whether the peer says that it is still getting the content itself. */
export function isArriving({ headers }: PeerReply): boolean {
  return headers.get(ANSWER_HEADERS.arriving) !== null;
}
