/**
 * The few messages of the Kademlia DHT that are written here rather than by the library, which
 * does not export its codec (libp2p specification kad-dht, section "RPC messages"; field numbers
 * from its protobuf definition).
 */

/** `Message.type`, field 1, and the values used. */
const TYPE_TAG = 0x08;
const ADD_PROVIDER = 2;
const PING = 5;
/** `Message.key`, field 2, bytes. */
const KEY_TAG = 0x12;
/** `Message.providerPeers`, field 9, message. */
const PROVIDER_TAG = 0x4a;
/** `Peer.id`, field 1, bytes, and `Peer.addrs`, field 2, repeated bytes. */
const PEER_ID_TAG = 0x0a;
const PEER_ADDRESS_TAG = 0x12;

/** A provider as it goes over the wire. */
export interface WireProvider {
  /** Multihash of its peer id. */
  readonly id: Uint8Array;
  /** Binary multiaddrs. */
  readonly addresses: readonly Uint8Array[];
}

/** Encodes a PING, which the other side sends back as it is. */
export function encodePing(): Uint8Array {
  return Uint8Array.of(TYPE_TAG, PING);
}

/** Encodes the part of ADD_PROVIDER that is the same for every key. */
export function encodeProvider(provider: WireProvider): Uint8Array {
  const peer = concat([
    field(PEER_ID_TAG, provider.id),
    ...provider.addresses.map((address) => field(PEER_ADDRESS_TAG, address)),
  ]);
  return field(PROVIDER_TAG, peer);
}

/** Encodes ADD_PROVIDER for a multihash, with what {@link encodeProvider} made. */
export function encodeAddProvider(multihash: Uint8Array, provider: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(TYPE_TAG, ADD_PROVIDER), field(KEY_TAG, multihash), provider]);
}

function field(tag: number, value: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(tag), varint(value.length), value]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push(rest & 0x7f | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
