import { readLimited } from "../net/bytes.ts";
import { type Digest, digestOf, hasDigest, splitDigest } from "../oci/digest.ts";
import { MANIFEST_MEDIA_TYPES, MAX_MANIFEST_BYTES } from "../oci/media_type.ts";
import type { UpstreamEndpoint } from "./endpoint.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";

/** One server's answer about content. */
export type EndpointAnswer =
  | { readonly type: "found"; readonly digest: Digest }
  | { readonly type: "missing"; readonly hidden: boolean }
  | { readonly type: "denied" }
  /** The server failed (5xx). */
  | { readonly type: "broken" }
  /** The server works, but rejects this request. */
  | { readonly type: "rejected" }
  /** The server works, but does not answer as a registry does. */
  | { readonly type: "misconfigured"; readonly error: MisconfiguredError }
  /** Rate-limited; its `Retry-After`, ms. */
  | { readonly type: "limited"; readonly retryAfterMs: number };

/** Default for a 429 without `Retry-After` (RFC 6585), and upper bound, ms. */
const DEFAULT_RETRY_AFTER_MS = 10_000;
const MAX_RETRY_AFTER_MS = 300_000;
/**
 * A blob without a trusted digest header is fetched and hashed up to this size; error and login
 * pages are smaller.
 */
const SMALL_BLOB_BYTES = 1024 * 1024;

/** The answer for a status other than success. */
export function refusal(status: number, after: string | null): EndpointAnswer {
  if (status === 401 || status === 403) return { type: "denied" };
  if (status === 429) return { type: "limited", retryAfterMs: retryAfterMs(after) };
  return { type: status < 500 ? "rejected" : "broken" };
}

/** The `Retry-After` header. */
export function retryAfter(response: Response): string | null {
  return response.headers.get("retry-after");
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(value: string | null): number {
  const seconds = /^\d{1,9}$/.test(value ?? "") ? Number(value) : undefined;
  const ms = seconds !== undefined ? seconds * 1000 : Date.parse(value ?? "") - Date.now();
  if (!Number.isFinite(ms)) return DEFAULT_RETRY_AFTER_MS;
  return Math.min(Math.max(ms, 1000), MAX_RETRY_AFTER_MS);
}

/** Hashes a manifest's bytes, and checks the digest that was requested, if any. */
export async function verifyManifest(
  response: Response,
  endpoint: UpstreamEndpoint,
  digest: Digest | undefined,
): Promise<EndpointAnswer> {
  if (response.status !== 200) return refusal(response.status, retryAfter(response));
  const bytes = await readLimited(decoded(response), MAX_MANIFEST_BYTES);
  const actual = digestOf(bytes, digest && splitDigest(digest).algorithm);
  const isRight = isManifest(bytes) && (digest ?? actual) === actual;
  return isRight ? { type: "found", digest: actual } : notTheContent(endpoint);
}

/** Some proxies compress bodies though nobody asked for it; containerd then decompresses them. */
function decoded(response: Response): Response {
  const { body, headers } = response;
  if (body === null || headers.get("content-encoding")?.toLowerCase() !== "gzip") return response;
  return new Response(body.pipeThrough(new DecompressionStream("gzip")));
}

/** The answer of a server that responds with something else than the content. */
export function notTheContent({ url }: UpstreamEndpoint): EndpointAnswer {
  const error = new MisconfiguredError(
    `${new URL(url).host} answers 200 with something other than the content`,
    "set the registry's address in its hosts.toml; a proxy or login page may answer in its place",
  );
  return { type: "misconfigured", error };
}

/**
 * Tells whether a response is a manifest by its media type; if it is not, its digest header is not
 * trusted.
 */
export function isManifestType({ headers }: Response): boolean {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  return MANIFEST_MEDIA_TYPES.includes(type);
}

/**
 * Tells whether a response is the blob. A gateway may redirect unauthenticated clients to a login
 * page, or answer every error with status 200: neither is content of the repository.
 */
export async function verifyBlob(
  response: Response,
  endpoint: UpstreamEndpoint,
  digest: Digest,
): Promise<EndpointAnswer> {
  const { status, headers } = response;
  if (status !== 200) return refusal(status, retryAfter(response));
  const found = { type: "found", digest } as const;
  const other = notTheContent(endpoint);
  const length = Number(headers.get("content-length") ?? NaN);
  if (isHtmlPage(response) || !(length <= SMALL_BLOB_BYTES)) {
    await response.body?.cancel();
    return !isHtmlPage(response) && length > SMALL_BLOB_BYTES ? found : other;
  }
  const content = await readLimited(response, SMALL_BLOB_BYTES);
  return hasDigest(content, digest) ? found : other;
}

/** Some servers answer unauthenticated clients with a login page and status 200. */
export function isHtmlPage({ headers }: Response): boolean {
  return /^text\/html\b/i.test(headers.get("content-type") ?? "");
}

/** Image specification: every kind of manifest is a JSON object with a schema version. */
function isManifest(bytes: Uint8Array): boolean {
  try {
    const manifest: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof manifest === "object" && manifest !== null && "schemaVersion" in manifest;
  } catch {
    return false;
  }
}
