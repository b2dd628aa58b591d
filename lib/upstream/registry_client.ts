import type { Credentials } from "../oci/credentials.ts";
import { LRUCache } from "lru-cache";
import { isDigest } from "../oci/digest.ts";
import { MANIFEST_MEDIA_TYPES } from "../oci/media_type.ts";
import type { DistributionPath } from "../oci/path.ts";
import { isRepository, type Reference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import { basicOf } from "./basic_of.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { ClientChoice } from "./client_choice.ts";
import {
  type EndpointAnswer,
  isHtmlPage,
  isManifestType,
  notTheContent,
  refusal,
  retryAfter,
  verifyBlob,
  verifyManifest,
} from "./endpoint_answer.ts";
import { isRegistryItself, type UpstreamEndpoint } from "./endpoint.ts";
import type { HeaderFields } from "./http/header_fields.ts";
import { ForbiddenTargetError } from "./forbidden_host.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";
import { pingServer } from "./ping_server.ts";
import { rewriteRepository } from "./rewrite_repository.ts";
import type { Sender } from "./send.ts";
import { tlsSettings } from "./tls_settings.ts";
import { type TokenRequest, Tokens } from "./tokens.ts";

const ACCEPT = MANIFEST_MEDIA_TYPES.join(", ");
/** Repositories whose challenge is cached, which saves a request. */
const MAX_CHALLENGES = 4096;
/** Asks servers for manifests and blobs, answering their authentication challenges. */
export class RegistryClient {
  readonly #sender: Sender;
  readonly #tokens: Tokens;
  readonly #clients = new ClientChoice();
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
    { kind, reference: asked }: DistributionPath,
    { credentials, signal }: Cancellable & { readonly credentials?: Credentials },
  ): Promise<EndpointAnswer> {
    const headers = headersFor(endpoint, credentials);
    const shown = credentials?.configured === undefined
      ? credentials
      : endpoint.credentials ?? credentials;
    const isWithheld = credentials === undefined && Object.keys(endpoint.headers).length > 0;
    const repository = await rewriteRepository(endpoint, asked.repository);
    const path = { kind, reference: { ...asked, repository } };
    const options = { signal, isWithheld, credentials: shown };
    const answer = await this.#clients.use(
      endpoint,
      (chosen) => this.#head({ ...chosen, headers }, path, options),
    );
    // Content behind the withheld headers may appear missing, or as a login page.
    const isHidden = ["missing", "rejected", "misconfigured"].includes(answer.type);
    return isWithheld && isHidden ? { type: "missing", hidden: true } : answer;
  }

  /** See {@link pingServer}; with the client certificate that the server accepts. */
  async ping(endpoint: UpstreamEndpoint, { signal }: Cancellable): Promise<EndpointAnswer> {
    const options = { sender: this.#sender, signal };
    return await this.#clients.use(endpoint, (chosen) => pingServer(chosen, options));
  }

  async #head(
    endpoint: UpstreamEndpoint,
    path: DistributionPath,
    { signal, credentials, isWithheld }: Cancellable & {
      readonly credentials: Credentials | undefined;
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
    // containerd also falls back to GET if a server does not support HEAD
    // (core/remotes/docker/resolver.go).
    const isGet = response.status === 405 && path.kind === "manifest";
    if (isGet) response = await ask("GET", authorization);
    const { status } = response;
    // Blobs are often on other hosts, under URLs that allow GET alone: a redirect proves existence.
    const elsewhere = path.kind === "blob" && status >= 300 && status < 400 && !isWithheld;
    if (status === 404) return { type: "missing", hidden: authorization !== undefined };
    if (status !== 200 && !elsewhere) return refusal(status, retryAfter(response));
    if (path.kind === "blob" && reference.digest !== undefined) {
      const isTrusted = response.headers.get("docker-content-digest") === reference.digest;
      if (isTrusted && !isHtmlPage(response)) return { type: "found", digest: reference.digest };
      return await verifyBlob(await ask("GET", authorization), endpoint, reference.digest);
    }
    const digest = response.headers.get("docker-content-digest") ?? "";
    if (isDigest(digest) && isManifestType(response)) {
      if (isGet) await response.body?.cancel();
      return (reference.digest ?? digest) === digest
        ? { type: "found", digest }
        : notTheContent(endpoint);
    }
    // The digest header is only recommended; without it the manifest is fetched and hashed.
    const whole = isGet ? response : await ask("GET", authorization);
    return await verifyManifest(whole, endpoint, reference.digest);
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
      ...tlsSettings(endpoint),
      dialTimeoutMs: endpoint.dialTimeoutMs,
      httpsFirst: endpoint.httpsFirst,
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
    try {
      return request && await this.#bearerAuthorization(request, signal);
    } catch {
      // Asking the registry again distinguishes its outage from one of the token server.
      this.#bearer.delete(challengeKey(endpoint, reference));
      signal.throwIfAborted();
      return undefined;
    }
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
      const authorization = await this.#bearerAuthorization(request, signal).catch((cause) => {
        throw tokenServerFault(endpoint, request, cause);
      });
      this.#bearer.set(key, bearer);
      return authorization;
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
}

/**
 * The answer of a registry whose token server issues no token: until that changes, it is not known
 * whether the content is public.
 */
function tokenServerFault(
  { url }: UpstreamEndpoint,
  { realm }: TokenRequest,
  cause: unknown,
): unknown {
  if (cause instanceof MisconfiguredError || cause instanceof ForbiddenTargetError) return cause;
  const server = URL.parse(realm)?.host ?? "of no valid URL";
  return new MisconfiguredError(
    `token server ${server} of ${new URL(url).host} gave no token`,
    `make ${server} reachable from this node`,
    { cause },
  );
}

/**
 * Headers that accompany credentials. A configured `Authorization` is this node's default identity,
 * and must not stand in for another client's.
 */
function headersFor(
  { headers }: UpstreamEndpoint,
  credentials: Credentials | undefined,
): HeaderFields {
  if (credentials === undefined) return {};
  return credentials.configured === undefined ? withoutAuthorization(headers) : headers;
}

function withoutAuthorization(headers: HeaderFields): HeaderFields {
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
  const scope = scopeOf(parameters.get("scope"), repository);
  return { endpoint, realm, service: parameters.get("service"), scope, credentials };
}

/**
 * Only the scope needed here, even if the server asks for more. Behind a server's path the
 * repository may have a longer name, which the challenge contains.
 */
function scopeOf(told: string | undefined, repository: string): string {
  const [, name = ""] = /^repository:([^:]+):/.exec(told ?? "") ?? [];
  const isSame = isRepository(name) && name.endsWith(`/${repository}`);
  return `repository:${isSame ? name : repository}:pull`;
}

/** The challenge may depend on the headers. */
function challengeKey({ url, headers }: UpstreamEndpoint, { repository }: Reference): string {
  return JSON.stringify([url, repository, headers]);
}
