import { createHash } from "node:crypto";
import { type Digest, splitDigest } from "../oci/digest.ts";

/** Hashes content as it passes. */
export interface Verifier {
  update(chunk: Uint8Array): void;
  /** Tells, once all has passed, whether it has the digest. */
  matches(): boolean;
}

/** Makes a verifier of content that should have this digest. */
export function createVerifier(digest: Digest): Verifier {
  const { algorithm, hex } = splitDigest(digest);
  const hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    matches: () => hash.digest("hex") === hex,
  };
}
