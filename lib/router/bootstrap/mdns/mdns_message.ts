// @deno-types="@types/dns-packet"
import * as dns from "dns-packet";
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { MDNS_SERVICE } from "../../../oci/peer_protocol.ts";
import type { BootstrapContact, BootstrapPeer } from "../bootstrapper.ts";
import { parsePeer } from "../parse_peer.ts";

/** Prefix of a multiaddr, as in libp2p's mDNS discovery. */
const ADDRESS_KEY = "dnsaddr=";
/** Lifetime of a record, s (RFC 6762, section 10). */
const TTL_S = 120;
/** Maximum addresses of one peer, sent and read. */
const MAX_ADDRESSES = 8;
/** Maximum length of a string in a TXT record (RFC 6763, section 6.1), bytes. */
const MAX_TEXT_BYTES = 255;
/** Maximum size of a datagram (RFC 6762, section 17), bytes. */
export const MAX_MESSAGE_BYTES = 9000;

/** Content of a datagram. */
export type MdnsMessage =
  | { readonly type: "query" }
  | {
    readonly type: "answer";
    readonly peer: BootstrapPeer & { id: string };
    readonly ttlMs: number;
  };

/** Encodes a query for all instances of the service. */
export function encodeQuery(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(dns.encode({
    type: "query",
    questions: [{ name: MDNS_SERVICE, type: "PTR" }],
  }));
}

/** Encodes the answer for a node. */
export function encodeAnswer({ id, addresses }: BootstrapContact): Uint8Array<ArrayBuffer> {
  const instance = `${id}.${MDNS_SERVICE}`;
  const data = addresses.slice(0, MAX_ADDRESSES)
    .map((address) => `${ADDRESS_KEY}${address}/p2p/${id}`)
    .filter((text) => text.length <= MAX_TEXT_BYTES);
  return new Uint8Array(dns.encode({
    type: "response",
    flags: dns.AUTHORITATIVE_ANSWER,
    answers: [{ name: MDNS_SERVICE, type: "PTR", ttl: TTL_S, data: instance }],
    additionals: [{ name: instance, type: "TXT", ttl: TTL_S, data }],
  }));
}

/** Decodes a datagram; undefined if it is malformed or about another service. */
export function decodeMessage(bytes: Uint8Array): MdnsMessage | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    const packet = dns.decode(Buffer.from(bytes));
    if (packet.type === "query") {
      const asked = packet.questions?.some(({ name, type }) =>
        name === MDNS_SERVICE && type === "PTR"
      );
      return asked === true ? { type: "query" } : undefined;
    }
    return readAnswer([...packet.answers ?? [], ...packet.additionals ?? []]);
  } catch {
    return undefined;
  }
}

function readAnswer(records: readonly dns.Answer[]): MdnsMessage | undefined {
  const pointer = records.find((record) => record.type === "PTR" && record.name === MDNS_SERVICE);
  if (pointer?.type !== "PTR") return undefined;
  const peers = records
    .flatMap((record) => record.type === "TXT" && record.name === pointer.data ? record.data : [])
    .slice(0, MAX_ADDRESSES)
    .map(String)
    .filter((text) => text.startsWith(ADDRESS_KEY))
    .map((text) => parsePeer(text.slice(ADDRESS_KEY.length)));
  const id = peers[0]?.id;
  if (id === undefined || peers.some((peer) => peer.id !== id || isIP(peer.host) === 0)) {
    return undefined;
  }
  const addresses = peers.map(({ host: ip, port }) => port === undefined ? { ip } : { ip, port });
  const ttl = Math.min(pointer.ttl ?? 0, TTL_S);
  return { type: "answer", peer: { id, addresses }, ttlMs: ttl * 1000 };
}
