/**
 * The names of Eddy's peer protocol, beyond the distribution specification and the Kademlia DHT.
 * docs/peer-protocol.md describes each, and how nodes without support treat it.
 */

/** Header fields of a request to a peer. */
export const REQUEST_HEADERS = {
  /**
   * The client is a peer, which wants only content that the server itself holds. Spegel's name for
   * it.
   */
  mirrored: "x-spegel-mirrored",
  /** Only content that can be pulled anonymously is wanted. */
  open: "x-eddy-open",
  /** The server's earlier response for this content was wrong. */
  doubt: "x-eddy-doubt",
  /** A token that proves possession of the cluster key. */
  token: "x-eddy-token",
} as const;

/** Header fields of the response. */
export const ANSWER_HEADERS = {
  /** The content is still being received by the server, and not verified. */
  arriving: "x-eddy-arriving",
  /** The content cannot be pulled anonymously. */
  private: "x-eddy-private",
  /** When the tag's image record was made or last changed, ms since 1970. */
  tagTime: "x-eddy-tag-time",
  /** A token that proves that the response comes from a node with the cluster key. */
  proof: "x-eddy-answer",
  /**
   * The term that tokens for this node must name; in responses to requests with an invalid token.
   */
  term: "x-eddy-term",
  /** The peer id of the node that responds, at `/v2/`. */
  node: "x-eddy-node",
} as const;

/** The value of a boolean header that is set. */
export const YES = "true";

/** Tells whether a boolean header is set. */
export function isYes(headers: { get(name: string): string | null }, name: string): boolean {
  return headers.get(name) === YES;
}

/** Protocols of libp2p streams. */
export const STREAM_PROTOCOLS = {
  /** Opening a stream announces that the node leaves. */
  goodbye: "/eddy/goodbye/1.0.0",
  /** Agreement on who fetches content from upstream that no node has. */
  rollout: "/eddy/rollout/1.0.0",
} as const;

/** DHT protocol prefix that Eddy and Spegel share. */
export const DEFAULT_DHT_PREFIX = "/spegel";

/** The DHT protocol; nodes with different prefixes stay separate. */
export function dhtProtocol(prefix: string): string {
  return `${prefix}/kad/1.0.0`;
}

/** The secure channel protocol of nodes with a shared secret. */
export function closedNoiseProtocol(secretName: string): string {
  return `/eddy/noise/${secretName}`;
}

/** The service that nodes query and announce by multicast; not libp2p's own. */
export const MDNS_SERVICE = "_eddy._udp.local";

/** Path at which a node's HTTP bootstrap serves its peers. */
export const BOOTSTRAP_PATH = "/id";

/**
 * An entry of the response, a JSON array: go-libp2p's AddrInfo in JSON, with an additional field.
 */
export interface BootstrapEntry {
  /** Peer id; may be empty or missing. */
  readonly ID?: string;
  /** Multiaddrs. */
  readonly Addrs: readonly string[];
  /** True: a peer that the responding node knows, not the responding node itself. */
  readonly Hearsay?: boolean;
}
