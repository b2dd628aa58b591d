import { createHash } from "node:crypto";
import type { Digest } from "../../lib/oci/digest.ts";

/** The SHA-256 digest of content. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
