import { createHash } from "node:crypto";
import { type Digest, splitDigest } from "../../oci/digest.ts";

/** Hashes content as it passes. */
export interface Verifier {
  /** Takes the next chunk; needs it no more once the promise has resolved. */
  update(chunk: Uint8Array): Promise<void> | void;
  /** From here on somebody else sends it: keeps the hash of what has passed so far. */
  mark(): Promise<void> | void;
  /** Hashes at each mark, in hexadecimal; complete once it has told whether all matches. */
  readonly marks: readonly string[];
  /** Tells, once all has passed, whether it has the digest. */
  matches(): Promise<boolean> | boolean;
  /** Forgets about it; of no effect after `matches`. */
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
