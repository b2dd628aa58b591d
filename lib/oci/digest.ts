import { createHash } from "node:crypto";
import { OciError } from "./error.ts";

/** A content digest `algorithm:hex` (OCI image specification, "Digests"). */
export type Digest = `sha256:${string}` | `sha512:${string}`;

/** Number of hex digits by supported algorithm. */
const HEX_LENGTH: Record<string, number> = { sha256: 64, sha512: 128 };

/** Tells whether `text` is a well-formed digest of an algorithm that can be verified. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(":");
  const length = HEX_LENGTH[text.slice(0, Math.max(colon, 0))];
  return length !== undefined && text.length === colon + 1 + length &&
    /^[0-9a-f]+$/.test(text.slice(colon + 1));
}

/**
 * Parses an untrusted digest.
 *
 * @throws {OciError} DIGEST_INVALID (400) if it is malformed or its algorithm is not supported.
 */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new OciError(
      "DIGEST_INVALID",
      `digest ${JSON.stringify(text.slice(0, 160))} is not sha256:<64 hex> or sha512:<128 hex>`,
      { status: 400 },
    );
  }
  return text;
}

/** Splits a digest into the algorithm and the hex part, which also form its path below `blobs/`. */
export function splitDigest(digest: Digest): { algorithm: "sha256" | "sha512"; hex: string } {
  const algorithm = digest.startsWith("sha512:") ? "sha512" : "sha256";
  return { algorithm, hex: digest.slice(algorithm.length + 1) };
}

/** Computes the digest of content; text is encoded as UTF-8. */
export function digestOf(
  content: Uint8Array | string,
  algorithm: "sha256" | "sha512" = "sha256",
): Digest {
  return `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`;
}

/** Tells whether content has a digest. */
export function hasDigest(content: Uint8Array, digest: Digest): boolean {
  return digestOf(content, splitDigest(digest).algorithm) === digest;
}
