import { joinBytes } from "../../net/bytes.ts";
/**
 * Codec of the Kademlia DHT's messages, which the library does not export (libp2p specification
 * kad-dht, section "RPC messages"; field numbers from its protobuf definition). Hand-written, so
 * that tens of thousands of records are cheap.
 */

/** Values of `Message.type`. */
export const MESSAGE_TYPE = {
  addProvider: 2,
  getProviders: 3,
  findNode: 4,
  ping: 5,
} as const;

/** `Message.type`, field 1, varint. */
const TYPE_TAG = 0x08;
/** `Message.key`, field 2, bytes. */
const KEY_TAG = 0x12;
/** `Message.closerPeers`, field 8, and `Message.providerPeers`, field 9: messages. */
const CLOSER_TAG = 0x42;
const PROVIDER_TAG = 0x4a;
/** `Peer.id`, field 1, bytes, and `Peer.addrs`, field 2, repeated bytes. */
const PEER_ID_TAG = 0x0a;
const PEER_ADDRESS_TAG = 0x12;
/** Maximum peers of one message, and addresses of one peer; more is considered an attack. */
const MAX_PEERS = 64;
const MAX_ADDRESSES = 16;

/** A peer on the wire. */
export interface WirePeer {
  /** Multihash of its peer id. */
  readonly id: Uint8Array;
  /** Binary multiaddrs. */
  readonly addresses: readonly Uint8Array[];
}

/** A decoded message. Its parts are views of the received bytes. */
export interface DhtMessage {
  readonly type: number;
  readonly key: Uint8Array;
  /** Encoded peers, for {@link decodePeer}. */
  readonly closer: readonly Uint8Array[];
  readonly providers: readonly Uint8Array[];
}

/** A malformed DHT message. */
export class DhtMessageError extends Error {
  override readonly name = "DhtMessageError";
}

/** Encodes a peer, for {@link encodeMessage} and {@link encodeRecords}. */
export function encodePeer(peer: WirePeer): Uint8Array {
  return joinBytes([
    ...field(PEER_ID_TAG, peer.id),
    ...peer.addresses.flatMap((address) => field(PEER_ADDRESS_TAG, address)),
  ]);
}

/** Encodes a message with its length prefix. */
export function encodeMessage(
  message: Partial<DhtMessage> & { readonly type: number },
): Uint8Array {
  const { type, key, closer = [], providers = [] } = message;
  const body = [
    Uint8Array.of(TYPE_TAG, type),
    ...(key === undefined ? [] : field(KEY_TAG, key)),
    ...closer.flatMap((peer) => field(CLOSER_TAG, peer)),
    ...providers.flatMap((peer) => field(PROVIDER_TAG, peer)),
  ];
  return joinBytes([varint(body.reduce((sum, part) => sum + part.length, 0)), ...body]);
}

/**
 * Encodes one ADD_PROVIDER for each multihash, followed by a PING whose echo acknowledges all of
 * them; each with its length prefix, in one buffer.
 */
export function encodeRecords(
  multihashes: readonly Uint8Array[],
  provider: Uint8Array,
): Uint8Array {
  const tail = joinBytes(field(PROVIDER_TAG, provider));
  const ping = encodeMessage({ type: MESSAGE_TYPE.ping });
  const heads = multihashes.map((multihash) => {
    const head = [Uint8Array.of(TYPE_TAG, MESSAGE_TYPE.addProvider), ...field(KEY_TAG, multihash)];
    return joinBytes([
      varint(head.reduce((sum, part) => sum + part.length, tail.length)),
      ...head,
    ]);
  });
  const size = heads.reduce((sum, head) => sum + head.length + tail.length, ping.length);
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const head of heads) {
    whole.set(head, offset);
    whole.set(tail, offset + head.length);
    offset += head.length + tail.length;
  }
  whole.set(ping, offset);
  return whole;
}

/** Decodes a message without its length prefix. @throws {DhtMessageError} if it is malformed. */
export function decodeMessage(bytes: Uint8Array): DhtMessage {
  let type = 0;
  let key: Uint8Array = bytes.subarray(0, 0);
  const closer: Uint8Array[] = [];
  const providers: Uint8Array[] = [];
  for (const { tag, value, number } of fields(bytes)) {
    if (tag === TYPE_TAG) type = number;
    else if (tag === KEY_TAG) key = value;
    else if (tag === CLOSER_TAG && closer.length < MAX_PEERS) closer.push(value);
    else if (tag === PROVIDER_TAG && providers.length < MAX_PEERS) providers.push(value);
  }
  return { type, key, closer, providers };
}

/** Decodes a peer. @throws {DhtMessageError} if it is malformed. */
export function decodePeer(bytes: Uint8Array): WirePeer {
  let id: Uint8Array = bytes.subarray(0, 0);
  const addresses: Uint8Array[] = [];
  for (const { tag, value } of fields(bytes)) {
    if (tag === PEER_ID_TAG) id = value;
    else if (tag === PEER_ADDRESS_TAG && addresses.length < MAX_ADDRESSES) addresses.push(value);
  }
  return { id, addresses };
}

interface Field {
  readonly tag: number;
  /** Content of a length-delimited field; else empty. */
  readonly value: Uint8Array;
  /** Value of a varint field; else 0. */
  readonly number: number;
}

/** The fields of a protobuf message (protobuf encoding, "Message structure"). */
function* fields(bytes: Uint8Array): Generator<Field, void, undefined> {
  const none = bytes.subarray(0, 0);
  let offset = 0;
  const readVarint = (): number => {
    const read = decodeVarint(bytes, offset);
    if (read === undefined) throw new DhtMessageError("message ends within a number");
    offset = read.end;
    return read.value;
  };
  while (offset < bytes.length) {
    const tag = readVarint();
    const wireType = tag & 7;
    if (wireType === 0) yield { tag, value: none, number: readVarint() };
    else if (wireType === 2) {
      const end = readVarint() + offset;
      if (end > bytes.length) throw new DhtMessageError("message ends within a field");
      const value = bytes.subarray(offset, end);
      offset = end;
      yield { tag, value, number: 0 };
    } else throw new DhtMessageError(`field ${tag} has an encoding that the DHT does not use`);
  }
}

/**
 * Decodes the varint at an offset; undefined if the bytes end within it.
 *
 * @throws {DhtMessageError} if it is longer than any number in the DHT.
 */
export function decodeVarint(
  bytes: Uint8Array,
  offset: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte <= 0x7f) return { value, end: offset + i + 1 };
  }
  throw new DhtMessageError("number is too long");
}

/** The parts of a length-delimited field. */
function field(tag: number, value: Uint8Array): Uint8Array[] {
  return [
    value.length <= 0x7f ? Uint8Array.of(tag, value.length) : tagAndLength(tag, value),
    value,
  ];
}

function tagAndLength(tag: number, value: Uint8Array): Uint8Array {
  return Uint8Array.of(tag, ...varint(value.length));
}

/** Encodes a varint. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push(rest & 0x7f | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
