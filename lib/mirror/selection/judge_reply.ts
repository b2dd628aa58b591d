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

/** By what {@link judgeReply} judges besides. */
export interface JudgeReplyOptions {
  readonly penalties: Pick<PenaltyBox, "isBannedRelay" | "suspicion">;
  /** Whether this node takes what others are still getting: where nodes agree on who fetches. */
  readonly follows: boolean;
}

/**
 * Judges a peer's answer by who the peer is, too. Content is known by its digest; what a tag means is
 * only believed of nodes of the cluster.
 */
export function judgeReply(
  { peer, reply, wanted }: JudgedReply,
  { penalties, follows }: JudgeReplyOptions,
): Verdict {
  const { status, headers, address, isProven, isKnown } = reply;
  const verdict = judgeAnswer(status, headers, wanted);
  if (verdict.type !== "offer") return verdict;
  if (wanted.digest === undefined && !isProven) {
    return { type: "refused", why: "it does not prove that it belongs to the cluster" };
  }
  if (isArriving(reply)) {
    // Whoever says so is excused for what is wrong: a way out that liars would take, too.
    if (!follows) return { type: "refused", why: "it has not got it yet" };
    if (penalties.isBannedRelay({ peer, address })) {
      return { type: "refused", why: "what it was still getting was wrong of late" };
    }
  }
  const { knownFrom = Infinity, largeFrom = Infinity, suspicion = 0 } = wanted;
  const { descriptor: { size } } = verdict;
  const isUnwelcome = size >= knownFrom ||
    (size >= largeFrom && penalties.suspicion({ peer, address }) > suspicion);
  return !isKnown && isUnwelcome
    ? { type: "stranger", why: "somebody else may have it who is known" }
    : verdict;
}

/** Whether the peer says that it is still getting it itself. */
export function isArriving({ headers }: PeerReply): boolean {
  return headers.get(ANSWER_HEADERS.arriving) !== null;
}
