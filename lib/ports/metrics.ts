import type { ReleaseReason } from "./layers.ts";
import type { MissReason } from "./mirror.ts";

/** Metrics of the agent. Each method is cheap and never throws. */
export interface Metrics {
  /**
   * A request of the local containerd was served from the store (`local`), from a peer, or not at
   * all.
   */
  mirrorRequest(registry: string, outcome: "local" | "hit" | "miss", reason: MissReason | ""): void;
  /** An HTTP request ended, with the duration and the bytes of the response's body. */
  httpRequest(
    handler: string,
    method: string,
    status: number,
    durationMs: number,
    bytes: number,
  ): void;
  /** A request began (+1) or ended (-1). */
  inFlight(handler: string, delta: 1 | -1): void;
  /** Bytes sent to the peer at this IP address. */
  bytesServed(bytes: number, address: string): void;
  /** Bytes received from the peer with this id. */
  bytesFetched(bytes: number, peer: string): void;
  /** Milliseconds until the first peer for a key was found. */
  resolveDuration(durationMs: number): void;
  /** A transfer continued from another peer, for this reason. */
  peerSwitched(reason: "died" | "stalled" | "slow" | "lied"): void;
  /** Numbers of digests and tags that this node advertises. */
  advertised(counts: { digests: number; tags: number }): void;
  /** Number of peers that the router knows. */
  peers(count: number): void;
  /** Upstream was asked about content: the type of its answer, or why there was none. */
  upstreamRequest(outcome: string): void;
  /** A tag was resolved: by upstream, or from local knowledge since upstream gave no answer. */
  tagResolved(by: "upstream" | "cache" | "unverified"): void;
  /** This node, or a peer, knew another digest for a tag than upstream. */
  staleTag(): void;
  /** Content of the store was checked for damage. */
  contentChecked(outcome: "sound" | "damaged" | "unknown"): void;
  /** Layers that are kept at present, and their bytes. */
  layersKept(totals: { readonly layers: number; readonly bytes: number }): void;
  /** A layer is no longer kept, for this reason. */
  layerReleased(reason: ReleaseReason): void;
  /** Number of damaged digests in the store. */
  damagedContent(count: number): void;
  /**
   * The coordinator's assignment: this node fetches, it follows another, or there was no answer.
   */
  electionHeld(outcome: "fetch" | "follow" | "no-answer"): void;
  /** A transfer from a node that was assigned to fetch, or follows one, began. */
  followBegan(): void;
  /** Following failed, so the client falls back to upstream. */
  followFailed(reason: "refused" | "died" | "stalled"): void;
  /** Bytes received from such a node instead of from upstream. */
  upstreamSpared(bytes: number): void;
}
