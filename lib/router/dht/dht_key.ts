import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";

/** Code of sha2-256 in the multicodec table. */
const SHA2_256 = 0x12;
const SHA2_256_BYTES = 32;

/** A key in the DHT. */
export interface DhtKey {
  /** The multihash in base64, as a map key. */
  readonly id: string;
  /** The multihash on the wire: two bytes of header and the sha2-256 digest. */
  readonly multihash: Uint8Array;
}

/**
 * Maps a digest or `registry/repository:tag` to its DHT key: sha2-256 of its UTF-8 bytes, as the
 * multihash of Spegel's CIDs (version 1, codec raw); only the multihash goes over the wire.
 */
export function dhtKey(key: string): DhtKey {
  const multihash = Uint8Array.of(SHA2_256, SHA2_256_BYTES, ...sha256(key));
  return { id: multihashId(multihash), multihash };
}

/** Map key of a multihash. */
export function multihashId(multihash: Uint8Array): string {
  return Buffer.from(multihash.buffer, multihash.byteOffset, multihash.byteLength)
    .toString("base64");
}

/**
 * Position of a multihash or peer id in the key space: its sha2-256 (Kademlia DHT specification,
 * "Distance").
 */
export function kademliaId(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

function sha256(data: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(data).digest());
}
