import { isIP } from "node:net";
import type { BootstrapEntry } from "../../oci/peer_protocol.ts";
import type { BootstrapAddress, BootstrapPeer } from "./bootstrapper.ts";
import { parsePeer } from "./parse_peer.ts";

/** Maximum peers of one list, and addresses of each. */
const MAX_PEERS = 4096;
const MAX_ADDRESSES = 16;

/**
 * Parses a list of peers in the form of {@link BootstrapEntry}. Entries without a supported address
 * are skipped.
 *
 * @throws {TypeError} if it has another shape.
 */
export function parseEntries(list: unknown): BootstrapPeer[] {
  if (!Array.isArray(list)) throw new TypeError("list of peers is not a JSON array");
  return list.slice(0, MAX_PEERS).flatMap((entry: unknown) => {
    const { ID: id, Addrs: addresses, Hearsay: unverified } = (entry ?? {}) as {
      readonly [Name in keyof BootstrapEntry]: unknown;
    };
    if (!Array.isArray(addresses) || (id !== undefined && typeof id !== "string")) {
      throw new TypeError("list of peers has an entry without Addrs or with a bad ID");
    }
    const parsed = addresses.slice(0, MAX_ADDRESSES).flatMap(toAddress);
    if (parsed.length === 0) return [];
    return [{
      addresses: parsed,
      ...(id ? { id } : {}),
      ...(unverified === undefined || unverified === false ? {} : { unverified: true as const }),
    }];
  });
}

/** Unsupported addresses, such as QUIC, are skipped. */
function toAddress(text: unknown): BootstrapAddress[] {
  if (typeof text !== "string") throw new TypeError("list of peers has a bad address");
  try {
    const { host, port } = parsePeer(text);
    if (isIP(host) === 0) return [];
    return [port === undefined ? { ip: host } : { ip: host, port }];
  } catch {
    return [];
  }
}
