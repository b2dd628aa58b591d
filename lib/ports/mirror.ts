import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Listing } from "../oci/listing.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Reference } from "../oci/reference.ts";
import type { Cancellable } from "./cancellable.ts";

/** Why the mirror has no content. */
export type MissReason =
  /** No peer is known to hold it. */
  | "no-peer"
  /** Peers are known, but none could be reached in time. */
  | "peers-unreachable"
  /** Peers hold it, but all are overloaded, or already send this content several times. */
  | "peers-busy"
  /** Peers answered, but none has it. */
  | "peers-refused"
  /** Peers hold the tag, but none is trusted: neither by address nor by cluster key. */
  | "peers-unnamed"
  /** Excluded by a filter. */
  | "filtered"
  /** Upstream has no such tag, or no longer. */
  | "absent-upstream"
  /** Upstream cannot be asked what the tag means; the client can, or is to try. */
  | "upstream-unasked"
  /** It is private, and the client did not prove access. */
  | "unauthorized"
  /** No peer within the deadline, or no complete content where it must be complete first. */
  | "timeout"
  /** Peers sent content that does not match the digest. */
  | "bad-content";

/** A request for content from peers. */
export interface MirrorRequest extends DistributionPath {
  readonly method: "GET" | "HEAD";
  /** Range of a blob: `bytes=START-END`, `bytes=START-` or `bytes=-LENGTH`. */
  readonly range?: string;
  /** True: content that a peer marks as private is not wanted. */
  readonly openOnly?: boolean;
  /** The client's IP address, for fair shares of memory. */
  readonly client?: string;
}

/** Content offered by a peer. */
export interface MirrorHit {
  readonly found: true;
  readonly descriptor: Descriptor;
  /** Set for a range request: the part in `body`. */
  readonly range?: ByteRange;
  /**
   * Null for HEAD. Errors, and never ends early, if the content is wrong or cannot be completed.
   * Its reader owns the buffer of each chunk and may transfer it.
   */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /**
   * The complete content of `body`, if it is in memory: then `body` need not be read. Shared, so it
   * must not be changed.
   */
  readonly content?: Uint8Array<ArrayBuffer>;
  /** The peer that answered, for the log. */
  readonly peer: string;
  /** True: the peer marks it as private, and served it since this node belongs to the cluster. */
  readonly isPrivate?: boolean;
}

/**
 * Why a node goes to upstream during a rollout: it was assigned to, the coordinator gave no answer,
 * or its parents had no content.
 */
export type AssignmentOutcome = "elected" | "no-answer" | "parents-refused";

/** No content from peers. */
export interface MirrorMiss {
  readonly found: false;
  readonly reason: MissReason;
  /** Number of peers that were asked. */
  readonly attempts: number;
  /** Why this node goes to upstream, if a coordinator was asked. */
  readonly turn?: AssignmentOutcome;
}

/** A peer's answer for a tag. */
export interface TagAnswer {
  readonly digest: Digest;
  /** Id of the peer. */
  readonly peer: string;
  /**
   * When the tag last had this digest, by the peer, ms since 1970; undefined if it does not say.
   */
  readonly updatedAt: number | undefined;
}

/** A request for lists of peers. */
export interface ListRequest extends Pick<Listing, "kind" | "reference" | "last"> {
  /** The most entries that each of them is asked for. */
  readonly n: number;
  /** True: what a peer marks as private is not wanted. */
  readonly openOnly: boolean;
  /** Whoever holds these is likely to know more. */
  readonly near: readonly Reference[];
}

/** A list of a peer. */
export interface PeerList {
  /** Valid tags, or digests of referrers. Nothing else about them is verified. */
  readonly entries: readonly string[];
  /** The peer has more. */
  readonly more: boolean;
}

/** Gets content from other nodes. After the start each call waits for {@link Router.firstPeer}. */
export interface Mirror {
  /** Answers of a few peers for a tag, within a moment. Rejects only if the signal aborts. */
  tagAnswers?(path: DistributionPath, options: Cancellable): Promise<readonly TagAnswer[]>;
  /**
   * Lists of a few believed peers, within a moment: of tags, or of referrers. Rejects only if the
   * signal aborts.
   */
  lists?(request: ListRequest, options: Cancellable): Promise<readonly PeerList[]>;
  /**
   * Fetches content. Never rejects because of a peer; rejects if the signal aborts, and with an
   * OciError (416) for a range that the content does not have.
   */
  fetch(request: MirrorRequest, options: Cancellable): Promise<MirrorHit | MirrorMiss>;
  /** This content is likely to be fetched next: the lookup may begin. */
  anticipate?(path: DistributionPath): void;
  /** Recently fetched content that is still in memory and can be pulled anonymously. */
  kept?(request: MirrorRequest): MirrorHit | undefined;
}
