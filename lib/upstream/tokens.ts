import { basicOf } from "./basic_of.ts";
import { createCredentialsHash, type Credentials } from "../oci/credentials.ts";
import type { LRUCache } from "lru-cache";
import * as z from "zod";
import { expiringCache } from "../async/expiring_cache.ts";
import { SingleFlight } from "../async/single_flight.ts";
import { readLimited } from "../net/bytes.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import type { UpstreamEndpoint } from "./endpoint.ts";
import type { HeaderFields } from "./http/header_fields.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";
import { tlsSettings } from "./tls_settings.ts";
import type { Sender, UpstreamRequest } from "./send.ts";

export interface TokenRequest {
  readonly endpoint: UpstreamEndpoint;
  /** Token server, as named in the challenge. */
  readonly realm: string;
  readonly service: string | undefined;
  /** E.g. `repository:library/nginx:pull`. */
  readonly scope: string;
  readonly credentials: Credentials | undefined;
}

/** A token server's answer; the status if it issues no token. */
export type TokenAnswer =
  | { readonly token: string }
  | { readonly status: number; readonly retryAfter: string | null };

const REALM_FIX = "correct the address of the token server in the registry's configuration";
const MAX_TOKENS = 2048;
const MAX_ANSWER_BYTES = 256 * 1024;
/** Upper bound of a token in a header. */
const MAX_TOKEN_LENGTH = 64 * 1024;
/** Lifetime of a token without `expires_in` (token authentication specification). */
const DEFAULT_LIFE_S = 60;
const MAX_LIFE_S = 3600;
/** Tokens are renewed this long before they expire: clocks differ. */
const MARGIN_S = 10;

const answerSchema = z.object({
  token: z.string().max(MAX_TOKEN_LENGTH).nullish(),
  access_token: z.string().max(MAX_TOKEN_LENGTH).nullish(),
  expires_in: z.number().nullish(),
});

/**
 * Gets bearer tokens from token servers, by the distribution project's token authentication
 * specification, and caches them in memory until they expire. Concurrent requests for the same
 * token share one.
 */
export class Tokens {
  readonly #sender: Sender;
  readonly #kept: LRUCache<string, string>;
  readonly #flights = new SingleFlight<TokenAnswer>();
  readonly #hash = createCredentialsHash();

  constructor(sender: Sender, clock: Clock) {
    this.#sender = sender;
    this.#kept = expiringCache(clock, { max: MAX_TOKENS, ttlMs: DEFAULT_LIFE_S * 1000 });
  }

  /** @throws if the server cannot be asked, or its answer is malformed. */
  async get(request: TokenRequest, options: Cancellable): Promise<TokenAnswer> {
    const key = this.#keyOf(request);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return { token: kept };
    return await this.#flights.run(key, options, (signal) => this.#fetch(key, request, signal));
  }

  /** Forgets a token that the registry rejected. */
  forget(request: TokenRequest): void {
    this.#kept.delete(this.#keyOf(request));
  }

  async #fetch(key: string, request: TokenRequest, signal: AbortSignal): Promise<TokenAnswer> {
    const { endpoint } = request;
    const registry = new URL(endpoint.url);
    const { url, headers, ...question } = questionOf(request, registry);
    const response = await this.#sender.send({
      ...question,
      url,
      headers: { ...configuredHeaders(endpoint, url, headers), ...headers },
      ...tlsSettings(endpoint),
      trustedHosts: new Set(endpoint.named ? [registry.host] : []),
      signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { status: response.status, retryAfter: response.headers.get("retry-after") };
    }
    const text = new TextDecoder().decode(await readLimited(response, MAX_ANSWER_BYTES));
    const answer = answerSchema.parse(JSON.parse(text));
    const token = answer.token || answer.access_token;
    if (!token || !/^[\x21-\x7e]+$/.test(token)) {
      throw new Error(`token server ${url.host} answered without a token`);
    }
    const lifeS = Math.min(answer.expires_in ?? DEFAULT_LIFE_S, MAX_LIFE_S) - MARGIN_S;
    if (lifeS > 0) this.#kept.set(key, token, { ttl: lifeS * 1000 });
    return { token };
  }

  #keyOf({ endpoint, realm, service, scope, credentials }: TokenRequest): string {
    return JSON.stringify([
      endpoint.url,
      endpoint.headers,
      realm,
      service,
      scope,
      this.#hash(credentials),
    ]);
  }
}

/**
 * The headers configured for a registry, if its token server is at the same origin: a gateway in
 * front of both may want them. containerd sends them to any token server.
 */
function configuredHeaders(
  endpoint: UpstreamEndpoint,
  url: URL,
  others: HeaderFields,
): HeaderFields {
  if (url.origin !== new URL(endpoint.url).origin) return {};
  const names = new Set(Object.keys(others));
  const own = Object.entries(endpoint.headers).filter(([name]) => !names.has(name.toLowerCase()));
  return Object.fromEntries(own);
}

/**
 * A token request: by GET (token authentication specification), or for an identity token by POST
 * (its OAuth 2 part, `grant_type=refresh_token`).
 *
 * @throws {MisconfiguredError} if the realm is not a URL that a registry may name.
 */
function questionOf(
  request: TokenRequest,
  registry: URL,
): Pick<UpstreamRequest, "method" | "url" | "headers" | "form"> {
  const { credentials, service, scope } = request;
  const url = realmUrl(request, registry);
  const accept = { accept: "application/json" };
  if (credentials?.identityToken !== undefined) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "eddy",
      scope,
      ...(service === undefined ? {} : { service }),
      refresh_token: credentials.identityToken,
    });
    return { method: "POST", url, headers: accept, form };
  }
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.append("scope", scope);
  const authorization = basicOf(credentials);
  return { method: "GET", url, headers: { ...accept, ...(authorization && { authorization }) } };
}

/**
 * The URL of a token server. Credentials are sent over TLS only, unless the registry itself uses
 * plain HTTP.
 *
 * @throws {MisconfiguredError} if the realm is not a URL that a registry may name.
 */
function realmUrl({ realm }: TokenRequest, registry: URL): URL {
  const url = URL.parse(realm);
  if (url === null) {
    throw new MisconfiguredError(`realm of ${registry.host} is not a URL`, REALM_FIX);
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && registry.protocol === "http:")) {
    throw new MisconfiguredError(
      `realm of ${registry.host} is ${url.protocol}//…, want https`,
      REALM_FIX,
    );
  }
  return url;
}
