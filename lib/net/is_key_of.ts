import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";

/**
 * Tells whether a private key is that of the first of some certificates (PEM): its public half is in
 * there. Deno 2.6 ends the process if a client's key is another one.
 */
export function isKeyOf(key: string, certificates: string): boolean {
  try {
    const half = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
    const [, body = ""] = /-----BEGIN CERTIFICATE-----([^-]*)/.exec(certificates) ?? [];
    return Buffer.from(body, "base64").includes(half);
  } catch {
    return false;
  }
}
