import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import type { DistributionPath } from "./oci/path.ts";
import type { ByteRange } from "./oci/range.ts";

/** Options of every call that can wait. */
export interface Cancellable {
  /** Aborts the call; its promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Reads images and content that the node holds. Absence is a value, not an error. */
export interface Store {
  /** For logs: `containerd` or `oci-layout`. */
  readonly name: string;
  /**
   * The digest that an image name (`registry/repository:tag`) points to; undefined if the store
   * does not know the name. Rejects if the store cannot be asked.
   */
  resolve(name: string, options: Cancellable): Promise<Digest | undefined>;
  /**
   * When the image of this name was made or last changed here, ms since 1970; undefined if the store
   * does not know the name, or the time. Rejects if the store cannot be asked.
   */
  updatedAt?(name: string, options: Cancellable): Promise<number | undefined>;
  /** Differs once content was written anew; undefined if it is not held. Rejects as `resolve`. */
  stamp?(digest: Digest, options: Cancellable): Promise<string | undefined>;
  /** Size and media type of content held whole; undefined if it is not held. */
  descriptor(digest: Digest, options: Cancellable): Promise<Descriptor | undefined>;
  /**
   * Opens content, or the part of it that `range` names; undefined if it is not held. A stream that
   * cannot be completed errors, it never ends early. The caller reads it to its end or cancels it,
   * and owns the buffer of each chunk: it may transfer it.
   */
  open(
    digest: Digest,
    options: Cancellable & {
      readonly range?: ByteRange;
      /** What `descriptor` said a moment ago: that need not be found out again. */
      readonly held?: Descriptor;
    },
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** An image that the node knows, and what of its content is really there. */
export interface StoredImage {
  /** The store's own name, e.g. `docker.io/library/nginx:1.27`. */
  readonly name: string;
  /** Digest of the index or manifest that the name points to. */
  readonly target: Digest;
  /** Digests reachable from the target that are present, the target included if it is. */
  readonly present: readonly Digest[];
}

/** A change of what the node holds. */
export type StoreEvent =
  /** All there is: the first event, and again after every reconnect and now and then. */
  | { readonly type: "sync"; readonly images: readonly StoredImage[] }
  /** An image was created or updated, or more of its content arrived. */
  | { readonly type: "image"; readonly image: StoredImage }
  /** An image name is gone. */
  | { readonly type: "delete"; readonly name: string }
  /** Content arrived that may not belong to a known image yet, from these repositories. */
  | {
    readonly type: "content";
    readonly digest: Digest;
    readonly sources: readonly ContentSource[];
  };

/** A repository that content came from. */
export interface ContentSource {
  readonly registry: string;
  readonly repository: string;
  /** The registry may have a port, which the store does not tell. */
  readonly portless?: boolean;
}

/** Follows what the node holds. */
export interface Watcher {
  /**
   * Yields a `sync` first, then changes, until the signal aborts (the iteration then ends without
   * an error). Survives the store going away and coming back: it reconnects with backoff and yields
   * a new `sync`.
   */
  watch(options: Cancellable): AsyncIterable<StoreEvent>;
}

/** A node that holds something. */
export interface Peer {
  /** Stable identity, e.g. the libp2p peer id. */
  readonly id: string;
  /** IP addresses without brackets, best first; at least one. */
  readonly addresses: readonly string[];
  /** TCP port of its registry. */
  readonly registryPort: number;
}

/** Finds who holds a key and makes known what this node holds. */
export interface Router {
  /** Makes keys findable by other nodes; resolves when they have been handed on, not when known everywhere. */
  advertise(keys: readonly string[]): Promise<void>;
  /** Stops advertising keys; unknown keys are ignored. */
  withdraw(keys: readonly string[]): Promise<void>;
  /**
   * Yields peers that hold the key as they are found, never this node itself, each once. Ends when
   * no more can be found; ends early without an error when the signal aborts.
   */
  lookup(key: string, options: Cancellable): AsyncIterable<Peer>;
  /** A lookup of this key is likely to follow at once: it may begin. */
  anticipate?(key: string): void;
  /**
   * A peer did not answer somebody else. Until the router has found out whether it lives, no lookup
   * waits for it. Unknown ids are ignored.
   */
  reportFailure(id: string): void;
  /** True once other nodes can be found, or it is known that there are none. */
  ready(): boolean;
  /** Peers that are known right now. */
  peers(): readonly Peer[];
  /** True if a peer, yielded before perhaps, said that it leaves and is not back: do not ask it. */
  hasLeft(id: string): boolean;
}

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
export type TurnOutcome = "elected" | "no-answer" | "parents-refused";

/** Nothing to be had from peers. */
export interface MirrorMiss {
  readonly found: false;
  readonly reason: MissReason;
  /** Peers that were asked. */
  readonly attempts: number;
  /** Why this node is to get it from upstream, if nodes were to agree on that. */
  readonly turn?: TurnOutcome;
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

/** Values that a log line can carry besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log; one JSON line a call. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds these fields to each line. */
  child(fields: LogFields): Log;
}

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

/** Time, so that tests can own it. */
export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, options?: Partial<Cancellable>): Promise<void>;
}
