import type { MissReason } from "./mirror.ts";

/** What is counted. Each method is cheap and never throws. */
export interface Metrics {
  /** A request of the local containerd was answered from here (`local`), from a peer, or not at all. */
  mirrorRequest(registry: string, outcome: "local" | "hit" | "miss", reason: MissReason | ""): void;
  /** An HTTP request ended after so long, and so many bytes of its answer's body. */
  httpRequest(
    handler: string,
    method: string,
    status: number,
    durationMs: number,
    bytes: number,
  ): void;
  /** A request began (+1) or ended (-1). */
  inFlight(handler: string, delta: 1 | -1): void;
  /** Bytes sent to a peer, which is known by its IP address. */
  bytesServed(bytes: number, address: string): void;
  /** Bytes received from the peer with this id. */
  bytesFetched(bytes: number, peer: string): void;
  /** Milliseconds until the first peer for a key was found. */
  resolveDuration(durationMs: number): void;
  /** A transfer went on at another peer, for this reason. */
  peerSwitched(reason: "died" | "stalled" | "slow" | "lied"): void;
  /** How many digests and tags this node advertises. */
  advertised(counts: { digests: number; tags: number }): void;
  /** How many peers the router knows. */
  peers(count: number): void;
  /** Upstream was asked for content; the type of its answer, or why there was none. */
  upstreamRequest(outcome: string): void;
  /** A tag was resolved: by upstream, or by what is known here since upstream could not be asked. */
  tagResolved(by: "upstream" | "cache" | "unverified"): void;
  /** This node, or a peer that was asked, knew another digest for a tag than upstream. */
  staleTag(): void;
  /** Content of the own store was read again. */
  contentChecked(outcome: "sound" | "damaged" | "unknown"): void;
  /** How much of the own store is known to be damaged. */
  damagedContent(count: number): void;
  /** Nodes agreed on who gets something from upstream: this one, another; or nobody answered. */
  electionHeld(outcome: "fetch" | "follow" | "no-answer"): void;
  /** Something began to come from a node that was elected, or that follows one. */
  followBegan(): void;
  /** Following came to nothing, so that the client goes upstream. */
  followFailed(reason: "refused" | "died" | "stalled"): void;
  /** Bytes received from such a node, which upstream need not send. */
  upstreamSpared(bytes: number): void;
}
