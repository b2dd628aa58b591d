import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";

/** The `Authorization` header of the Basic scheme (RFC 7617, section 2). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/**
 * Tells whether an `Authorization` header is among the accepted ones, in time that depends on their
 * number only, not on their content.
 */
export function isAuthorized(header: string | null, accepted: readonly string[]): boolean {
  const given = credentialsDigest(header ?? "");
  let found = false;
  for (const authorization of accepted) {
    const equal = timingSafeEqual(given, credentialsDigest(authorization));
    found = equal || found;
  }
  return found;
}

/**
 * Digests have equal length, as the comparison requires; a header of another scheme never matches.
 */
function credentialsDigest(header: string): Uint8Array {
  const token = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header)?.[1];
  const credentials = token === undefined
    ? `no Basic credentials: ${header}`
    : Buffer.from(token, "base64");
  return createHash("sha256").update(credentials).digest();
}
