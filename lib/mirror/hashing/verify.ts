import { createHash } from "node:crypto";
import { type Digest, splitDigest } from "../../oci/digest.ts";

/** Hashes content as it passes. */
export interface Verifier {
  /** Takes the next chunk; it may be reused once the promise has resolved. */
  update(chunk: Uint8Array): Promise<void> | void;
  /** Keeps the hash of all chunks so far: the next ones come from another sender. */
  mark(): Promise<void> | void;
  /** Hashes at each mark, in hexadecimal; complete once it has told whether all matches. */
  readonly marks: readonly string[];
  /** Tells, after the last chunk, whether the content has the digest. */
  matches(): Promise<boolean> | boolean;
  /** Ends the verification; no effect after `matches`. */
  drop(): void;
}

/** Makes a verifier, on this thread, of content that should have this digest. */
export function createVerifier(digest: Digest): Verifier {
  const { algorithm, hex } = splitDigest(digest);
  const hash = createHash(algorithm);
  const marks: string[] = [];
  return {
    update: (chunk) => void hash.update(chunk),
    mark: () => void marks.push(hash.copy().digest("hex")),
    marks,
    matches: () => hash.digest("hex") === hex,
    drop: () => {},
  };
}
