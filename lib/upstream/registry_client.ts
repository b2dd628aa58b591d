import type { Credentials } from "../oci/credentials.ts";
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type Digest, isDigest, splitDigest } from "../oci/digest.ts";
import { MANIFEST_MEDIA_TYPES, MAX_MANIFEST_BYTES } from "../oci/media_type.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Reference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import { basicOf } from "./basic_of.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { isRegistryItself, type UpstreamEndpoint } from "./endpoint.ts";
import { readLimited, type Sender } from "./send.ts";
import { type TokenRequest, Tokens } from "./tokens.ts";

/** One server's answer about content. */
export type EndpointAnswer =
  | { readonly type: "found"; readonly digest: Digest }
  | { readonly type: "missing"; readonly hidden: boolean }
  | { readonly type: "denied" }
  /** The server failed; or, if `answered`, it works but rejects this request. */
  | { readonly type: "broken"; readonly answered: boolean }
  /** Rate-limited; its `Retry-After`, ms. */
  | { readonly type: "limited"; readonly retryAfterMs: number };

const ACCEPT = MANIFEST_MEDIA_TYPES.join(", ");
/** Repositories whose challenge is cached, which saves a request. */
const MAX_CHALLENGES = 4096;
/** Default for a 429 without `Retry-After` (RFC 6585), and upper bound, ms. */
const DEFAULT_RETRY_AFTER_MS = 10_000;
const MAX_RETRY_AFTER_MS = 300_000;
/**
 * A blob without a trusted digest header is fetched and hashed up to this size; error and login
 * pages are smaller.
 */
const SMALL_BLOB_BYTES = 1024 * 1024;

/** Asks servers for manifests and blobs, answering their authentication challenges. */
export class RegistryClient {
  readonly #sender: Sender;
  readonly #tokens: Tokens;
  readonly #bearer = new LRUCache<string, Challenge>({ max: MAX_CHALLENGES });

  constructor(sender: Sender, clock: Clock) {
    this.#sender = sender;
    this.#tokens = new Tokens(sender, clock);
  }

  /**
   * Asks for content. Without credentials the configured headers are not sent either: they may
   * grant access that anonymous clients do not have.
   *
   * @throws if the server cannot be reached or misbehaves, the signal's reason when it aborts.
   */
  async head(
    endpoint: UpstreamEndpoint,
    path: DistributionPath,
    options: Cancellable & { readonly credentials?: Credentials },
  ): Promise<EndpointAnswer> {
    const { credentials } = options;
    const headers = headersFor(endpoint, credentials);
    const isWithheld = credentials === undefined && Object.keys(endpoint.headers).length > 0;
    const answer = await this.#head({ ...endpoint, headers }, path, { ...options, isWithheld });
    // Content behind the withheld headers may appear missing, or as a login page.
    const isHidden = answer.type === "missing" || (answer.type === "broken" && answer.answered);
    return isWithheld && isHidden ? { type: "missing", hidden: true } : answer;
  }

  async #head(
    endpoint: UpstreamEndpoint,
    path: DistributionPath,
    { signal, credentials, isWithheld }: Cancellable & {
      readonly credentials?: Credentials;
      /** The server has configured headers, which are withheld. */
      readonly isWithheld: boolean;
    },
  ): Promise<EndpointAnswer> {
    const { reference } = path;
    const ask = (method: "GET" | "HEAD", authorization: string | undefined) =>
      this.#send(method, endpoint, path, authorization, signal);
    const first = await this.#authorize(endpoint, reference, credentials, signal);
    if (typeof first === "object") return first;
    let authorization = first;
    let response = await ask("HEAD", authorization);
    if (response.status === 401) {
      const next = await this.#answerChallenge(response, endpoint, reference, credentials, signal);
      if (typeof next === "object") return next;
      authorization = next;
      response = await ask("HEAD", authorization);
    }
    const { status } = response;
    // Blobs are often on other hosts, under URLs that allow GET alone: a redirect proves existence.
    const elsewhere = path.kind === "blob" && status >= 300 && status < 400 && !isWithheld;
    if (status === 404) return { type: "missing", hidden: authorization !== undefined };
    if (status !== 200 && !elsewhere) return refusal(status, retryAfter(response));
    if (path.kind === "blob" && reference.digest !== undefined) {
      const isTrusted = response.headers.get("docker-content-digest") === reference.digest;
      if (isTrusted && !isHtmlPage(response)) return { type: "found", digest: reference.digest };
      return await verifyBlob(await ask("GET", authorization), reference.digest);
    }
    const digest = response.headers.get("docker-content-digest") ?? "";
    if (isDigest(digest)) return { type: "found", digest };
    // The digest header is only recommended; without it the manifest is fetched and hashed.
    return await this.#digestOf(await ask("GET", authorization), reference);
  }

  async #send(
    method: "GET" | "HEAD",
    endpoint: UpstreamEndpoint,
    { kind, reference: { registry, repository, tag, digest } }: DistributionPath,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const url = new URL(`${endpoint.url}/${repository}/${kind}s/${digest ?? tag ?? "latest"}`);
    // A mirror of several registries needs the name to tell their repositories apart.
    if (!isRegistryItself(url.host, registry)) url.searchParams.set("ns", registry);
    const response = await this.#sender.send({
      method,
      url,
      headers: {
        ...(authorization === undefined
          ? endpoint.headers
          : { ...withoutAuthorization(endpoint.headers), authorization }),
        accept: ACCEPT,
      },
      caCertificates: endpoint.caCertificates,
      trustedHosts: new Set(endpoint.named ? [url.host] : []),
      follow: kind === "manifest" || method === "GET",
      signal,
    });
    if (method === "HEAD" || response.status !== 200) await response.body?.cancel();
    return response;
  }

  /** The authorization by what is cached for the repository. */
  async #authorize(
    endpoint: UpstreamEndpoint,
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined | EndpointAnswer> {
    const challenge = this.#bearer.get(challengeKey(endpoint, reference));
    if (challenge === undefined) return undefined;
    const request = tokenRequest(challenge, endpoint, reference, credentials);
    return request && await this.#bearerAuthorization(request, signal);
  }

  async #answerChallenge(
    response: Response,
    endpoint: UpstreamEndpoint,
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<string | EndpointAnswer> {
    const key = challengeKey(endpoint, reference);
    const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const request = bearer && tokenRequest(bearer, endpoint, reference, credentials);
    if (bearer !== undefined && request !== undefined) {
      // The server just rejected the cached token.
      this.#tokens.forget(request);
      this.#bearer.set(key, bearer);
      return await this.#bearerAuthorization(request, signal);
    }
    this.#bearer.delete(key);
    const basic = challenges.some(({ scheme }) => scheme === "basic");
    const authorization = basic ? basicOf(credentials) : undefined;
    return authorization ?? { type: "denied" };
  }

  async #bearerAuthorization(
    request: TokenRequest,
    signal: AbortSignal,
  ): Promise<string | EndpointAnswer> {
    const answer = await this.#tokens.get(request, { signal });
    if ("token" in answer) return `Bearer ${answer.token}`;
    // Token servers of some registries answer 400 or 404 to wrong credentials.
    const refused = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
    return refused ? { type: "denied" } : refusal(answer.status, answer.retryAfter);
  }

  async #digestOf(response: Response, { digest }: Reference): Promise<EndpointAnswer> {
    if (response.status !== 200) return refusal(response.status, retryAfter(response));
    const bytes = await readLimited(response, MAX_MANIFEST_BYTES);
    if (!isManifest(bytes)) return { type: "broken", answered: true };
    const algorithm = digest?.split(":")[0] ?? "sha256";
    const actual = `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
    if (!isDigest(actual) || (digest ?? actual) !== actual) {
      return { type: "broken", answered: true };
    }
    return { type: "found", digest: actual };
  }
}

/**
 * Headers that accompany credentials. A configured `Authorization` is this node's default identity,
 * and must not stand in for another client's.
 */
function headersFor(
  { headers }: UpstreamEndpoint,
  credentials: Credentials | undefined,
): Readonly<Record<string, string>> {
  if (credentials === undefined) return {};
  return credentials.configured === undefined ? withoutAuthorization(headers) : headers;
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"),
  );
}

function tokenRequest(
  { parameters }: Challenge,
  endpoint: UpstreamEndpoint,
  { repository }: Reference,
  credentials: Credentials | undefined,
): TokenRequest | undefined {
  const realm = parameters.get("realm");
  if (realm === undefined) return undefined;
  // Only the scope needed here, even if the server asks for more.
  const scope = `repository:${repository}:pull`;
  return { endpoint, realm, service: parameters.get("service"), scope, credentials };
}

/** The challenge may depend on the headers. */
function challengeKey({ url, headers }: UpstreamEndpoint, { repository }: Reference): string {
  return JSON.stringify([url, repository, headers]);
}

function refusal(status: number, after: string | null): EndpointAnswer {
  if (status === 401 || status === 403) return { type: "denied" };
  if (status === 429) return { type: "limited", retryAfterMs: retryAfterMs(after) };
  return { type: "broken", answered: status < 500 };
}

function retryAfter(response: Response): string | null {
  return response.headers.get("retry-after");
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(value: string | null): number {
  const seconds = /^\d{1,9}$/.test(value ?? "") ? Number(value) : undefined;
  const ms = seconds !== undefined ? seconds * 1000 : Date.parse(value ?? "") - Date.now();
  if (!Number.isFinite(ms)) return DEFAULT_RETRY_AFTER_MS;
  return Math.min(Math.max(ms, 1000), MAX_RETRY_AFTER_MS);
}

/**
 * Tells whether a response is the blob. A gateway may redirect unauthenticated clients to a login
 * page, or answer every error with status 200: neither is content of the repository.
 */
async function verifyBlob(response: Response, digest: Digest): Promise<EndpointAnswer> {
  const { status, headers } = response;
  if (status !== 200) return refusal(status, retryAfter(response));
  const found = { type: "found", digest } as const;
  const other = { type: "broken", answered: true } as const;
  const length = Number(headers.get("content-length") ?? NaN);
  if (isHtmlPage(response) || !(length <= SMALL_BLOB_BYTES)) {
    await response.body?.cancel();
    return !isHtmlPage(response) && length > SMALL_BLOB_BYTES ? found : other;
  }
  const { algorithm, hex } = splitDigest(digest);
  const actual = createHash(algorithm).update(await readLimited(response, SMALL_BLOB_BYTES));
  return actual.digest("hex") === hex ? found : other;
}

/** Some servers answer unauthenticated clients with a login page and status 200. */
function isHtmlPage({ headers }: Response): boolean {
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
