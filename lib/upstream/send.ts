import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import { createHttpClient } from "../net/http_client.ts";
import { type FindProxy, proxyFromEnvironment } from "../net/proxy.ts";
import { type Connect, connectTcp } from "./http/dial.ts";
import { DirectClient } from "./http/direct_client.ts";
import { type HeaderFields, headerLines } from "./http/header_fields.ts";
import {
  allowedAddresses,
  ForbiddenTargetError,
  type ResolveAddresses,
  systemResolve,
} from "./forbidden_host.ts";
import { type HttpsFirst, preferHttps } from "./https_first.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";
import { type TlsSettings, tlsSettings } from "./tls_settings.ts";
import { createTlsCheck } from "./usable_tls.ts";

/** A request to a registry or to its token server. */
export interface UpstreamRequest extends HttpsFirst, TlsSettings {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  /** Form fields of a POST, which never follows a redirect. */
  readonly form?: URLSearchParams;
  readonly headers: HeaderFields;
  /** Dial timeout, ms; undefined: none. */
  readonly dialTimeoutMs?: number | undefined;
  /** False: a redirect is returned like any other response. */
  readonly follow?: boolean;
}

/** Sends requests. The caller reads the response's body or cancels it. */
export interface Sender extends Disposable {
  send(request: UpstreamRequest): Promise<Response>;
}

/** Sets of CA certificates with a client of their own, at most. */
const MAX_CLIENTS = 64;
const MAX_REDIRECTS = 5;
const REDIRECT_FIX = "set the address of the registry itself in its hosts.toml";
const PROXY_FIX = "name the server in NO_PROXY, or its CA certificate as `ca` in its hosts.toml";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Deadline of this node's own lookup where a proxy does another, ms. */
const OWN_LOOKUP_MS = 250;

/** For tests. */
export interface SenderCollaborators {
  readonly resolve?: ResolveAddresses;
  readonly connect?: Connect;
  /** Default: by the environment. */
  readonly findProxy?: FindProxy;
}

/**
 * Makes a sender that follows redirects itself: never to a forbidden host unless it is configured,
 * never from https to http, and without `Authorization` and configured headers once the origin
 * changes (RFC 9110, section 15.4). It connects to the addresses it has checked, without a second
 * lookup: a name server could return others (DNS rebinding).
 */
export function createSender(
  {
    resolve = systemResolve,
    connect = connectTcp,
    findProxy = proxyFromEnvironment(),
  }: SenderCollaborators = {},
): Sender {
  const direct = new DirectClient({ resolve, connect });
  const proxied = new ProxiedClient(resolve);
  const sendOnce: SendOnce = preferHttps(async (url, request) => {
    requireWebUrl(url);
    const proxy = findProxy(url);
    return proxy === undefined
      ? await direct.send(url, request)
      : await proxied.send(url, proxy, request);
  });
  return {
    send: (request) => follow(request, sendOnce),
    [Symbol.dispose]() {
      direct[Symbol.dispose]();
      proxied[Symbol.dispose]();
    },
  };
}

type SendOnce = (url: URL, request: UpstreamRequest) => Promise<Response>;

async function follow(request: UpstreamRequest, sendOnce: SendOnce): Promise<Response> {
  const { form, follow = form === undefined } = request;
  let { url, headers } = request;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await sendOnce(url, { ...request, headers });
    if (!follow || !REDIRECTS.has(response.status)) return response;
    await response.body?.cancel();
    const target = URL.parse(response.headers.get("location") ?? "", url.href);
    if (target === null) {
      throw new MisconfiguredError(`${url.host} redirects to an invalid URL`, REDIRECT_FIX);
    }
    if (url.protocol === "https:" && target.protocol !== "https:") {
      throw new ForbiddenTargetError(`${url.host} redirects from https to ${target.protocol}`);
    }
    if (target.origin !== url.origin) headers = { accept: headers["accept"] ?? "*/*" };
    url = target;
  }
  throw new MisconfiguredError(
    `${request.url.host} redirects more than ${MAX_REDIRECTS} times`,
    REDIRECT_FIX,
  );
}

function requireWebUrl(url: URL): void {
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ForbiddenTargetError(`${url.protocol} is not supported, want http: or https:`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ForbiddenTargetError(`URL of ${url.host} contains credentials`);
  }
}

/** Sends requests through the proxy of the environment, which resolves the host. */
class ProxiedClient implements Disposable {
  readonly #resolve: ResolveAddresses;
  readonly #checkTls = createTlsCheck();
  readonly #clients = new LRUCache<string, Deno.HttpClient>({
    max: MAX_CLIENTS,
    dispose: (client) => client.close(),
  });

  constructor(resolve: ResolveAddresses) {
    this.#resolve = resolve;
  }

  async send(url: URL, proxy: URL, request: UpstreamRequest): Promise<Response> {
    const { method, form, trustedHosts, signal } = request;
    const headers = headerLines(request.headers).map((
      [name, value],
    ): [string, string] => [name, value]);
    if (!trustedHosts.has(url.host)) await this.#requireAllowed(url, signal);
    const client = this.#client(url, proxy, request);
    const init = { method, headers, signal, client, redirect: "manual" as const };
    return await fetch(url, form === undefined ? init : { ...init, body: form });
  }

  [Symbol.dispose](): void {
    this.#clients.clear();
  }

  /** A name that this node cannot resolve is left to the proxy. */
  async #requireAllowed({ hostname }: URL, signal: AbortSignal): Promise<void> {
    using limit = deadline(OWN_LOOKUP_MS, { signal });
    try {
      await allowedAddresses(hostname, { resolve: this.#resolve, signal: limit.signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ForbiddenTargetError) throw error;
    }
  }

  /**
   * @throws {MisconfiguredError} for settings that the runtime does not support through a proxy.
   */
  #client(
    url: URL,
    proxy: URL,
    settings: TlsSettings,
  ): Deno.HttpClient {
    if (url.protocol === "https:" && settings.skipVerify === true) {
      throw new MisconfiguredError(
        `skip_verify of ${url.host} cannot be used through a proxy`,
        PROXY_FIX,
      );
    }
    const key = JSON.stringify([settings.caCertificates, settings.client, proxy.href]);
    let known = this.#clients.get(key);
    if (known === undefined) {
      const { caCertificates, client } = this.#checkTls(tlsSettings(settings));
      const pair = client && { cert: client.certificate, key: client.key };
      const options = { caCerts: [...caCertificates], poolIdleTimeout: 30_000 };
      known = createHttpClient(
        url,
        proxy,
        pair === undefined ? options : { ...options, ...pair },
      );
      this.#clients.set(key, known);
    }
    return known;
  }
}
