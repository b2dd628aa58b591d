import { canonicalIp } from "../../net/ip.ts";
import type { Peer } from "../../ports/router.ts";

/**
 * How likely a sender sent something wrong: 0 if nothing is known, 2 if it did not send all that it
 * was asked for, as a peer does that wants others to be blamed.
 */
export type Suspicion = 0 | 1 | 2;

/** The sender of bytes: a peer at one of its addresses. */
export interface Sender {
  readonly peer: Peer;
  /** IP address that answered. */
  readonly address: string;
  /**
   * It is still getting the content itself and has verified nothing: errors may be another peer's.
   */
  readonly arriving: boolean;
  /** It has proved that it belongs to the cluster. */
  readonly isProven: boolean;
  /** It says that the content is private. */
  readonly isPrivate: boolean;
}

/**
 * Where a sender is. Blame is tied to this: a peer may take as many ids as it likes, and the index
 * does not verify the address of an id.
 */
export function placeOf({ peer, address }: Pick<Sender, "peer" | "address">): string {
  return place(address, peer.registryPort);
}

/** Address and port of a registry in one form, however the address is written. */
export function place(address: string, port: number): string {
  return `${canonicalIp(address)} ${port}`;
}
