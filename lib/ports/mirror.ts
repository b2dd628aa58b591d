import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Cancellable } from "./cancellable.ts";

/** Why the mirror has nothing to offer. */
export type MissReason =
  /** Nobody is known to hold it. */
  | "no-peer"
  /** Peers are known, but none could be reached in time. */
  | "peers-unreachable"
  /** Peers have it, but all of them have too much to do, or are sending just this several times. */
  | "peers-busy"
  /** Peers answered, but none has it. */
  | "peers-refused"
  /** Peers have the tag, but nobody who is believed does: neither named nor known by a key. */
  | "peers-unnamed"
  /** A filter forbids it. */
  | "filtered"
  /** Upstream has no such tag (any more). */
  | "absent-upstream"
  /** It is private, and the client did not show that it may have it. */
  | "unauthorized"
  /** The time for finding a peer, or for getting it before it can be passed on, ran out. */
  | "timeout"
  /** Peers sent content that is not what was asked for. */
  | "bad-content";

/** What to get from peers. */
export interface MirrorRequest extends DistributionPath {
  readonly method: "GET" | "HEAD";
  /** `Range` header as the client sent it, for blobs. */
  readonly range?: string;
  /** True: what a peer says is private is not wanted. */
  readonly openOnly?: boolean;
  /** IP address of whoever asks: clients share memory fairly. */
  readonly client?: string;
}

/** Content that a peer offers. */
export interface MirrorHit {
  readonly found: true;
  readonly descriptor: Descriptor;
  /** Set when the request had a range: the part that `body` holds. */
  readonly range?: ByteRange;
  /**
   * Null for HEAD. Errors, and never ends early, if the content cannot be completed or is wrong. Its
   * reader owns the buffer of each chunk and may transfer it.
   */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /**
   * All that `body` would bring, where it is at hand: then `body` need not be read. Shared with
   * others, so not to be changed.
   */
  readonly content?: Uint8Array<ArrayBuffer>;
  /** Who answered, for the log. */
  readonly peer: string;
  /** True: the peer says that it is private, and gave it to this node as one of the cluster. */
  readonly isPrivate?: boolean;
}

/**
 * Why a node goes upstream that might have followed another: it was told to, nobody told it what to
 * do, or those it was told to follow had nothing.
 */
export type AssignmentOutcome = "elected" | "no-answer" | "parents-refused";

/** Nothing to be had from peers. */
export interface MirrorMiss {
  readonly found: false;
  readonly reason: MissReason;
  /** Peers that were asked. */
  readonly attempts: number;
  /** Why this node is to get it from upstream, if nodes were to agree on that. */
  readonly turn?: AssignmentOutcome;
}

/** What a tag points to at a peer. */
export interface TagAnswer {
  readonly digest: Digest;
  /** Id of the peer. */
  readonly peer: string;
  /** When that was so last, as the peer says, ms since 1970; undefined if it does not say. */
  readonly updatedAt: number | undefined;
}

/** Gets content from other nodes. */
export interface Mirror {
  /**
   * What a few peers have for a tag; those that answer within a moment. Rejects only if the signal
   * aborts.
   */
  tagAnswers?(path: DistributionPath, options: Cancellable): Promise<readonly TagAnswer[]>;
  /**
   * Never rejects because of a peer; rejects if the signal aborts, and with an OciError (416) for
   * a range that the content does not have.
   */
  fetch(request: MirrorRequest, options: Cancellable): Promise<MirrorHit | MirrorMiss>;
  /** This is likely to be fetched at once: looking for who has it may begin. */
  anticipate?(path: DistributionPath): void;
  /** What was got a moment ago, is still at hand and may be had by everybody. */
  kept?(request: MirrorRequest): MirrorHit | undefined;
}
