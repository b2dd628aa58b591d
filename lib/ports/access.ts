import type { Credentials } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Reference } from "../oci/reference.ts";
import type { Cancellable } from "./cancellable.ts";

/** The upstream registry's answer about a manifest or a blob. */
export type UpstreamAnswer =
  | { readonly type: "found"; readonly digest: Digest }
  /**
   * There is no such content. If `hidden`, none that these credentials can see: registries that
   * require authentication do not always distinguish the two.
   */
  | { readonly type: "missing"; readonly hidden: boolean }
  /** These credentials, or none, do not suffice. */
  | { readonly type: "denied" }
  /** No answer: nothing is known. */
  | {
    readonly type: "unavailable";
    readonly reason: UpstreamTrouble;
    /** What opened the circuit, for `circuit-open`. */
    readonly because?: UpstreamTrouble | undefined;
  };

/** Why upstream gave no answer. */
export type UpstreamTrouble =
  /** Deadline exceeded. */
  | "timeout"
  /** No connection, or a broken one. */
  | "unreachable"
  /** Its name has no address here. */
  | "unresolved"
  /** A server error (5xx), or a malformed answer. */
  | "broken"
  /** Rate-limited (429). */
  | "limited"
  /** Not asked, since it failed recently. */
  | "circuit-open"
  /**
   * It cannot be asked as it is configured: its certificate, its token server or its answers are
   * not a registry's. Unlike an outage this does not pass.
   */
  | "misconfigured"
  /** It is where only this node's own configuration may lead, such as on this machine. */
  | "forbidden";

/** The upstream registries. */
export interface Upstream {
  /**
   * Asks the upstream registry about content, without transferring it; without credentials
   * anonymously. Bounded in time; rejects only with the signal's reason when that aborts.
   */
  head(
    path: DistributionPath,
    options: Cancellable & { readonly credentials?: Credentials },
  ): Promise<UpstreamAnswer>;
}

/** Returns the node's own credentials for a repository. Bounded in time; does not reject. */
export type NodeCredentials = (
  reference: Reference,
) => Promise<Credentials | undefined>;

/** A request of the local containerd, or of another client of this node's mirror. */
export interface AccessRequest {
  readonly path: DistributionPath;
  /** Credentials in the request. */
  readonly credentials: Credentials | undefined;
  /** The client's IP address. */
  readonly clientAddress: string;
  /**
   * A peer marked the content as private. Its claim suffices to ask upstream, not to be remembered.
   */
  readonly suspectedPrivate?: boolean;
  /** A list is asked for: the tag in the path only serves to ask, and is not left to the runtime. */
  readonly isListing?: boolean;
}

/** Decision about a request. */
export type Admission =
  /** Serve it; for a tag only this digest, if given. */
  | {
    readonly type: "serve";
    readonly digest?: Digest;
    /** False: upstream could not be asked for the tag's digest. */
    readonly verified: boolean;
    /** True: the content is private, and the client's access was verified. */
    readonly entitled?: boolean;
  }
  /** Answer with a challenge, or let the client fall back to upstream, which decides. */
  | { readonly type: "challenge" }
  /** Let the client fall back to upstream. */
  | {
    readonly type: "refuse";
    readonly reason: "absent-upstream" | "unauthorized" | "upstream-unasked";
  };

/** A client that is not local and requests content held here. */
export interface Outsider {
  /** It has proved that it is a node of the cluster. */
  readonly proven: boolean;
  /** It wants only content that can be pulled anonymously. */
  readonly openOnly?: boolean;
  /** It does not even claim to be a node. */
  readonly stranger?: boolean;
  /** The content is still being fetched: the runtime has not yet named its image. */
  readonly arriving?: boolean;
}

/** Why held content is refused: for this node's log, not for the client. */
export type PeerRefusal =
  /**
   * It is not known whether the content can be pulled anonymously, and upstream did not answer in
   * time.
   */
  | "refused-unknown"
  | "refused-private"
  /** Public and other repositories contain it, and upstream did not confirm it in a public one. */
  | "refused-contested"
  /** Only nodes and clients of this node are served. */
  | "refused-stranger";

/** Decision about held content for an outsider. */
export type PeerAdmission =
  | "open"
  /** Allowed since it belongs to the cluster; it must verify its own client's access. */
  | "private"
  | PeerRefusal;

/** Decides who may have which content, and resolves tags. */
export interface Access {
  /** Tells whether an IP address is one of this node's own clients. */
  isLocalClient(address: string): boolean;
  /**
   * Decides about a request of a client of this node. Bounded in time; rejects only with the
   * signal's reason when that aborts.
   */
  admit(request: AccessRequest, options: Cancellable): Promise<Admission>;
  /**
   * Decides whether an outsider may have held content; not a promise if the answer is known.
   * Upstream is asked only about names under which this node itself knows the content. Bounded in
   * time; does not reject.
   */
  admitPeer(
    path: DistributionPath,
    digest: Digest,
    outsider: Outsider,
  ): PeerAdmission | Promise<PeerAdmission>;
  /**
   * Decides whether an outsider may know which tags and manifests a repository has. Content that it
   * may have by its digest may also be in repositories of which it may know nothing.
   */
  admitNames(repository: Reference, outsider: Outsider): PeerAdmission;
  /**
   * Records the children of a repository's manifest, given its bytes; only for content that was
   * served to a client of this node.
   */
  learn(reference: Reference, manifest: Uint8Array): void;
}

/** Follows what clients of this node are answered. */
export interface AnswerObserver {
  /** A request was answered with content; `digest` is undefined if it was refused. */
  answered(
    request: { readonly path: DistributionPath; readonly method: "GET" | "HEAD" },
    digest: string | undefined,
  ): void;
}

/** A request to another node. */
export interface NodeRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly path: string;
  /** Id of the peer. */
  readonly peer: string;
  /** IP address at which it is asked: another node may announce its own address as the peer's. */
  readonly address: string;
}

/** Authentication of a request. */
export interface PeerProof {
  readonly headers: Readonly<Record<string, string>>;
  /** Id that an authenticated response must name. */
  readonly id: string;
  /** The peer's term that it names, if known. */
  readonly term?: string | undefined;
}

/** The IP addresses that bootstrap names. */
export interface TrustedAddresses {
  /** Tells whether an IP address is trusted. */
  isTrusted(address: string): boolean;
  /**
   * Resolves the names again, unless that was done recently. Bounded in time, does not reject; the
   * signal only ends the wait.
   */
  refresh(options: Cancellable): Promise<void>;
}

/** Mutual authentication of the cluster's nodes. */
export interface PeerAuth {
  /** Authenticates a request to a peer. */
  sign(request: NodeRequest): Promise<PeerProof>;
  /**
   * Learns from the response to a request what its authentication must name. True: a new one may be
   * accepted where this one was not. Default: nothing to learn.
   */
  renew?(
    request: NodeRequest,
    proof: PeerProof,
    headers: { get(name: string): string | null },
  ): boolean;
  /** Headers for `renew` in the response to a request whose authentication fails; default none. */
  refusal?(headers: Headers): Readonly<Record<string, string>>;
  /** The id of a request's authentication; undefined if it is invalid. Does not reject. */
  verify(
    request: Pick<NodeRequest, "method" | "path"> & { readonly headers: Headers },
  ): Promise<string | undefined>;
  /**
   * Headers that prove to the client of a request that a node of the cluster names this digest, and
   * the time in the header of that name.
   */
  signAnswer(
    id: string,
    digest: Digest,
    tagTime?: string,
  ): Promise<Readonly<Record<string, string>>>;
  /** Verifies these headers in the response to a request. Does not reject. */
  verifyAnswer(
    id: string,
    answer: {
      readonly digest: Digest;
      readonly headers: { get(name: string): string | null };
    },
  ): Promise<boolean>;
}
