import { canonicalIp } from "../../net/ip.ts";
import type { Peer } from "../../ports/router.ts";

/**
 * How likely something wrong came from somewhere: 0 where nothing is known, 2 from whoever did not
 * send all of what he was asked for, as those do who want others to be blamed.
 */
export type Suspicion = 0 | 1 | 2;

/** Who sends bytes: a peer at one of its addresses. */
export interface Sender {
  readonly peer: Peer;
  /** IP address that answered. */
  readonly address: string;
  /** It is still getting the content itself and has verified nothing: errors may be another's. */
  readonly arriving: boolean;
  /** It has proved that it belongs to the cluster. */
  readonly isProven: boolean;
  /** It says that not everybody may have what it sends. */
  readonly isPrivate: boolean;
}

/**
 * Where a sender is. Blame is tied to this: anybody may take as many ids as he likes, and the index
 * takes anybody's word for where an id is.
 */
export function placeOf({ peer, address }: Pick<Sender, "peer" | "address">): string {
  return place(address, peer.registryPort);
}

/** Address and port of a registry in one form, however the address is written. */
export function place(address: string, port: number): string {
  return `${canonicalIp(address)} ${port}`;
}
