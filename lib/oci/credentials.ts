import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";

/** User and password for a registry. Never logged, stored on disk, or passed to a peer. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A refresh token (OAuth 2), in place of user and password; accepted by token servers only. */
  readonly identityToken?: string;
  /**
   * In place of all these: the headers and credentials configured on this node for a registry's
   * servers, which its runtime sends with each pull. The value only serves to tell credentials
   * apart.
   */
  readonly configured?: string;
}

/** Upper bound of a header; containerd's are far shorter, tokens as passwords included. */
const MAX_HEADER_LENGTH = 16 * 1024;

/**
 * Parses an `Authorization` header of the Basic scheme (RFC 7617, section 2); undefined if it is
 * missing, of another scheme, or malformed.
 */
export function parseBasicAuthorization(header: string | null): Credentials | undefined {
  if (header === null || header.length > MAX_HEADER_LENGTH) return undefined;
  const token = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header)?.[1];
  if (token === undefined) return undefined;
  const text = Buffer.from(token, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Hashes credentials for use as a key; empty for none. */
export type CredentialsHash = (credentials: Credentials | undefined) => string;

/**
 * Makes a salted hash; the salt never leaves this process, so hashes are useless elsewhere or after
 * a restart.
 */
export function createCredentialsHash(): CredentialsHash {
  const salt = randomBytes(32);
  return (credentials) => {
    if (credentials === undefined) return "";
    const { username, password, identityToken, configured } = credentials;
    const text = JSON.stringify([username, password, identityToken, configured]);
    return createHmac("sha256", salt).update(text).digest("base64");
  };
}
