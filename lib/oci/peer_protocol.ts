/**
 * What nodes say to each other, beyond the distribution specification and the Kademlia DHT. What
 * each name means, and what becomes of it at a node that does not know it: docs/peer-protocol.md.
 */

/** Header fields of a node's request to another. */
export const REQUEST_HEADERS = {
  /** A node asks: only what the other one has itself is wanted. Spegel's name for it. */
  mirrored: "x-spegel-mirrored",
  /** Only what everybody may have is wanted. */
  open: "x-eddy-open",
  /** What the node got of this was not what it asked for. */
  doubt: "x-eddy-doubt",
  /** A token that proves that the node has the cluster's key. */
  token: "x-eddy-token",
} as const;

/** Header fields of the answer. */
export const ANSWER_HEADERS = {
  /** The content is still on its way to whoever sends it, and not verified. */
  arriving: "x-eddy-arriving",
  /** Not everybody may have the content. */
  private: "x-eddy-private",
  /** When the tag's image record was made or last changed, in ms since 1970. */
  tagTime: "x-eddy-tag-time",
  /** A token that proves that the answer comes from a node with the cluster's key. */
  proof: "x-eddy-answer",
  /** The term that tokens for this node have to name; in answers to requests whose token is not good. */
  term: "x-eddy-term",
} as const;

/** The value of a header that says yes. */
export const YES = "true";

/** Tells whether a header says yes. */
export function saysYes(headers: { get(name: string): string | null }, name: string): boolean {
  return headers.get(name) === YES;
}

/** Protocols of streams over libp2p. */
export const STREAM_PROTOCOLS = {
  /** Opening a stream says that the node leaves. */
  goodbye: "/eddy/goodbye/1.0.0",
  /** Who gets content from upstream that no node has. */
  rollout: "/eddy/rollout/1.0.0",
} as const;

/** Prefix of the DHT's protocol by which Eddy and Spegel meet. */
export const DEFAULT_DHT_PREFIX = "/spegel";

/** The DHT's protocol; nodes with different prefixes never meet. */
export function dhtProtocol(prefix: string): string {
  return `${prefix}/kad/1.0.0`;
}

/** The protocol by which nodes with a secret in common secure connections. */
export function closedNoiseProtocol(secretName: string): string {
  return `/eddy/noise/${secretName}`;
}

/** The service that nodes ask for and answer to by multicast; not libp2p's own. */
export const MDNS_SERVICE = "_eddy._udp.local";

/** Where a node's HTTP bootstrap is asked for peers. */
export const BOOTSTRAP_PATH = "/id";

/** An entry of the answer, a JSON array: the JSON form of go-libp2p's AddrInfo, and one field more. */
export interface BootstrapEntry {
  /** Peer id; may be empty or missing. */
  readonly ID?: string;
  /** Multiaddrs. */
  readonly Addrs: readonly string[];
  /** True: the node that answers has only met this peer, it is not that node itself. */
  readonly Hearsay?: boolean;
}
