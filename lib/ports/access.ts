import type { Credentials } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Reference } from "../oci/reference.ts";
import type { Cancellable } from "./cancellable.ts";

/** What the registry of origin says about a manifest or a blob. */
export type UpstreamAnswer =
  | { readonly type: "found"; readonly digest: Digest }
  /**
   * There is no such content; if `hidden`, none that whoever asked may see: registries that want
   * authentication do not always say which of the two it is.
   */
  | { readonly type: "missing"; readonly hidden: boolean }
  /** These credentials, or none, are not enough. */
  | { readonly type: "denied" }
  /** It could not be asked: nothing is known. */
  | { readonly type: "unavailable"; readonly reason: UpstreamTrouble };

/** Why upstream could not be asked. */
export type UpstreamTrouble =
  /** No answer in time. */
  | "timeout"
  /** No connection, or a broken one. */
  | "unreachable"
  /** It failed (5xx), or what it said made no sense. */
  | "broken"
  /** It asked for fewer requests (429). */
  | "limited"
  /** It failed lately, so it was not asked. */
  | "circuit-open"
  /**
   * It is there, but can never be asked the way it is configured: its certificate, its token server
   * or its answers are not those of a registry. That is no outage, which would pass.
   */
  | "misconfigured";

/** The registries that images come from. */
export interface Upstream {
  /**
   * Asks the registry of origin for content, without transferring it. Without credentials it is
   * asked as anybody might. Bounded in time; rejects only with the signal's reason when that aborts.
   */
  head(
    path: DistributionPath,
    options: Cancellable & { readonly credentials?: Credentials },
  ): Promise<UpstreamAnswer>;
}

/** Credentials that the node has, by itself, for a repository. Bounded in time; does not reject. */
export type NodeCredentials = (
  reference: Reference,
) => Promise<Credentials | undefined>;

/** A request of the local containerd, or of whoever else asks this node's mirror. */
export interface AccessRequest {
  readonly path: DistributionPath;
  /** What the client sent with it. */
  readonly credentials: Credentials | undefined;
  /** The client's IP address. */
  readonly clientAddress: string;
  /**
   * A peer says that the content is private. That is its word alone: it is enough to make sure, not
   * to be remembered.
   */
  readonly suspectedPrivate?: boolean;
}

/** What may be done about a request. */
export type Admission =
  /** Serve it, and for a tag only this content, if it is named. */
  | {
    readonly type: "serve";
    readonly digest?: Digest;
    /** False: upstream could not be asked what the tag points to. */
    readonly verified: boolean;
    /** True: it is private, and the client's right to it was made sure of. */
    readonly entitled?: boolean;
  }
  /** Ask the client for credentials, or let it go on to upstream, which has the last word. */
  | { readonly type: "challenge" }
  /** Let the client go on to upstream. */
  | { readonly type: "refuse"; readonly reason: "absent-upstream" | "unauthorized" };

/** Somebody who asks for content that is held here and is no client of this node. */
export interface Outsider {
  /** It has proved that it is a node of the cluster. */
  readonly proven: boolean;
  /** It wants only what everybody may have. */
  readonly openOnly?: boolean;
  /** It does not even say that it is a node. */
  readonly stranger?: boolean;
  /** The content is still being fetched: the runtime has not yet said which image it is of. */
  readonly arriving?: boolean;
}

/** Why somebody does not get content that is held here: for this node's log, not for them. */
export type PeerRefusal =
  /** Whether it is anybody's is not known, and could not be found out in time. */
  | "refused-unknown"
  | "refused-private"
  /** It is named in public repositories and in others, and upstream did not say that it is there. */
  | "refused-contested"
  /** Nobody but nodes and clients of this node is served. */
  | "refused-stranger";

/** What an outsider may have of content that is held here. */
export type PeerAdmission =
  | "open"
  /** It may have it because it belongs to the cluster, and is to make sure of its own client. */
  | "private"
  | PeerRefusal;

/** Decides who may have what, and what a tag means. */
export interface Access {
  /** Tells whether an IP address is one of this node's own clients. */
  isLocalClient(address: string): boolean;
  /**
   * Decides about a request of a client of this node. Bounded in time; rejects only with the
   * signal's reason when that aborts.
   */
  admit(request: AccessRequest, options: Cancellable): Promise<Admission>;
  /**
   * Tells whether an outsider may have content that is held here: without a promise where the answer
   * is known. Upstream is asked only about names under which this node itself knows the content.
   * Bounded in time; does not reject.
   */
  admitPeer(
    path: DistributionPath,
    digest: Digest,
    outsider: Outsider,
  ): PeerAdmission | Promise<PeerAdmission>;
  /**
   * Tells that a manifest of a repository, whose bytes these are, names other content; only of what
   * a client of this node was given.
   */
  learn(reference: Reference, manifest: Uint8Array): void;
}

/** A request to another node. */
export interface NodeRequest {
  readonly method: string;
  /** Path and query as they are sent. */
  readonly path: string;
  /** Id of the peer that is asked. */
  readonly peer: string;
  /** IP address that it is asked at: others may give theirs out for the peer's. */
  readonly address: string;
}

/** A request's proof. */
export interface PeerProof {
  readonly headers: Readonly<Record<string, string>>;
  /** What an answer has to name that is to prove anything itself. */
  readonly id: string;
  /** The peer's term that it names, if that is known. */
  readonly term?: string | undefined;
}

/** Knows the nodes that the operator named, by their IP addresses. */
export interface TrustedAddresses {
  /** Tells whether an IP address is one of them. */
  isTrusted(address: string): boolean;
  /**
   * Asks anew who is named, unless that was done a short while ago. Bounded in time, does not
   * reject; the signal only ends the waiting.
   */
  lookAgain(options: Cancellable): Promise<void>;
}

/** Proofs between nodes that they belong to one cluster. */
export interface PeerAuth {
  /** Proves it to the peer that is asked. */
  sign(request: NodeRequest): Promise<PeerProof>;
  /**
   * Takes over what the answer to a request says that its proof has to name. True: a new proof may
   * be accepted where this one was not. Default: there is nothing like that.
   */
  renew?(
    request: NodeRequest,
    proof: PeerProof,
    headers: { get(name: string): string | null },
  ): boolean;
  /** Headers for `renew`, of the answer to a request whose proof is not accepted; default none. */
  refusal?(headers: Headers): Readonly<Record<string, string>>;
  /** The id of a request's proof; undefined if it proves nothing. Does not reject. */
  verify(
    request: Pick<NodeRequest, "method" | "path"> & { readonly headers: Headers },
  ): Promise<string | undefined>;
  /**
   * Headers that prove to whoever sent a request that a node of the cluster names this digest, and
   * this time by the header of that name.
   */
  signAnswer(
    id: string,
    digest: Digest,
    tagTime?: string,
  ): Promise<Readonly<Record<string, string>>>;
  /** Tells whether an answer to a request proves that. Does not reject. */
  verifyAnswer(
    id: string,
    answer: {
      readonly digest: Digest;
      readonly headers: { get(name: string): string | null };
    },
  ): Promise<boolean>;
}
