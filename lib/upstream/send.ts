import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { type Connect, connectTcp } from "./http/dial.ts";
import { DirectClient } from "./http/direct_client.ts";
import { isLoopbackHost } from "./endpoint.ts";
import {
  allowedAddresses,
  ForbiddenTargetError,
  type ResolveAddresses,
  systemResolve,
} from "./forbidden_host.ts";
import { createIsProxied, type IsProxied } from "./proxy.ts";

/** A request to a registry or to its token server. */
export interface UpstreamRequest extends Cancellable {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  /** Of a POST: fields of a form. It goes nowhere else, whatever the server says. */
  readonly form?: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificates that are trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** Hosts that the user configured, which may be anywhere, even on this machine. */
  readonly trustedHosts: ReadonlySet<string>;
  /** False: a redirect is an answer like any other. */
  readonly follow?: boolean;
}

/** Sends requests. The caller reads the response's body or cancels it. */
export interface Sender extends Disposable {
  send(request: UpstreamRequest): Promise<Response>;
}

/** Sets of certificates for which a client is kept. */
const MAX_CLIENTS = 64;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** How long this node's own name server is asked where a proxy asks another, ms. */
const OWN_LOOKUP_MS = 250;

/** Collaborators of {@link createSender}; for tests. */
export interface SenderCollaborators {
  readonly resolve?: ResolveAddresses;
  readonly connect?: Connect;
  /** Default: what the environment says. */
  readonly isProxied?: IsProxied;
}

/** One request, without what it leads to. */
type Hop = (url: URL, request: UpstreamRequest) => Promise<Response>;

/**
 * Makes a sender that follows redirects itself: never to a forbidden host unless the user configured
 * it, never from https to http, and without the `Authorization` and configured headers once the
 * origin changes (RFC 9110, section 15.4). It connects to the very addresses that were looked at: a
 * name server cannot have others ready when it is asked again.
 */
export function createSender(
  {
    resolve = systemResolve,
    connect = connectTcp,
    isProxied = createIsProxied((name) => Deno.env.get(name)),
  }: SenderCollaborators = {},
): Sender {
  const direct = new DirectClient({ resolve, connect });
  const proxied = new ProxiedClient(resolve);
  const sendOnce: Hop = async (url, request) => {
    requireSound(url);
    // A registry on this very machine is no matter of a proxy elsewhere.
    return isProxied(url) && !isLoopbackHost(url.hostname)
      ? await proxied.send(url, request)
      : await direct.send(url, request);
  };
  return {
    send: (request) => follow(request, sendOnce),
    [Symbol.dispose]() {
      direct[Symbol.dispose]();
      proxied[Symbol.dispose]();
    },
  };
}

async function follow(request: UpstreamRequest, sendOnce: Hop): Promise<Response> {
  const { form, follow = form === undefined } = request;
  let { url, headers } = request;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await sendOnce(url, { ...request, headers });
    if (!follow || !REDIRECTS.has(response.status)) return response;
    await response.body?.cancel();
    const target = URL.parse(response.headers.get("location") ?? "", url.href);
    if (target === null) throw new Error(`${url.host} redirects to nowhere`);
    if (url.protocol === "https:" && target.protocol !== "https:") {
      throw new ForbiddenTargetError(`${url.host} redirects from https to ${target.protocol}`);
    }
    if (target.origin !== url.origin) headers = { accept: headers["accept"] ?? "*/*" };
    url = target;
  }
  throw new Error(`${request.url.host} redirects more than ${MAX_REDIRECTS} times`);
}

function requireSound(url: URL): void {
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ForbiddenTargetError(`${url.protocol} is no protocol of registries`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ForbiddenTargetError(`URL of ${url.host} has credentials in it`);
  }
}

/** Leaves it to the proxy of the environment to find the host and to connect to it. */
class ProxiedClient implements Disposable {
  readonly #resolve: ResolveAddresses;
  readonly #clients = new LRUCache<string, Deno.HttpClient>({
    max: MAX_CLIENTS,
    dispose: (client) => client.close(),
  });

  constructor(resolve: ResolveAddresses) {
    this.#resolve = resolve;
  }

  async send(url: URL, request: UpstreamRequest): Promise<Response> {
    const { method, headers, form, caCertificates, trustedHosts, signal } = request;
    if (!trustedHosts.has(url.host)) await this.#requireAllowed(url, signal);
    const client = this.#client(caCertificates);
    const init = { method, headers, signal, client, redirect: "manual" as const };
    return await fetch(url, form === undefined ? init : { ...init, body: form });
  }

  [Symbol.dispose](): void {
    this.#clients.clear();
  }

  /** Names that this node cannot find are the proxy's to find. */
  async #requireAllowed({ hostname }: URL, signal: AbortSignal): Promise<void> {
    using limit = deadline(OWN_LOOKUP_MS, { signal });
    try {
      await allowedAddresses(hostname, { resolve: this.#resolve, signal: limit.signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ForbiddenTargetError) throw error;
    }
  }

  #client(caCertificates: readonly string[]): Deno.HttpClient {
    const key = caCertificates.join("\n");
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = Deno.createHttpClient({ caCerts: [...caCertificates], poolIdleTimeout: 30_000 });
      this.#clients.set(key, client);
    }
    return client;
  }
}

/**
 * Reads a body of limited length.
 *
 * @throws {Error} if it is longer than `limit` bytes.
 */
export async function readLimited(
  response: Response,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > limit) throw new Error(`answer is longer than ${limit} bytes`);
    parts.push(part);
  }
  return await new Blob(parts).bytes();
}
