import { LRUCache } from "lru-cache";
import { untilAborted } from "../async/until_aborted.ts";
import type { Cancellable } from "../ports.ts";
import { isForbiddenHost, type ResolveHost, systemResolve } from "./forbidden_host.ts";

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

/** A server sent this node where it must not go. */
export class ForbiddenTargetError extends Error {
  override readonly name = "ForbiddenTargetError";
}

/** Sets of certificates for which a client is kept. */
const MAX_CLIENTS = 64;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Collaborators of {@link createSender}; for tests. */
export interface SenderCollaborators {
  readonly resolve?: ResolveHost;
}

/**
 * Makes a sender that follows redirects itself: never to a forbidden host (see
 * {@link isForbiddenHost}) unless the user configured it, never from https to http, and without the
 * `Authorization` and configured headers once the origin changes (RFC 9110, section 15.4).
 */
export function createSender({ resolve = systemResolve }: SenderCollaborators = {}): Sender {
  const clients = new LRUCache<string, Deno.HttpClient>({
    max: MAX_CLIENTS,
    dispose: (client) => client.close(),
  });
  const clientFor = (caCertificates: readonly string[]) => {
    const key = caCertificates.join("\n");
    let client = clients.get(key);
    if (client === undefined) {
      client = Deno.createHttpClient({ caCerts: [...caCertificates], poolIdleTimeout: 30_000 });
      clients.set(key, client);
    }
    return client;
  };
  return {
    async send(request) {
      const client = clientFor(request.caCertificates);
      let { url } = request;
      let headers = { ...request.headers };
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        await requireAllowed(url, request, resolve);
        const { method, signal, form, follow = form === undefined } = request;
        const init = { method, headers, signal, client, redirect: "manual" as const };
        const response = await fetch(url, form === undefined ? init : { ...init, body: form });
        if (!follow || !REDIRECTS.has(response.status)) return response;
        await response.body?.cancel();
        const target = URL.parse(response.headers.get("location") ?? "", url.href);
        if (target === null) throw new Error(`${url.host} redirects to nowhere`);
        if (url.protocol === "https:" && target.protocol !== "https:") {
          throw new ForbiddenTargetError(`${url.host} redirects from https to ${target.protocol}`);
        }
        if (target.origin !== url.origin) headers = { accept: headers.accept ?? "*/*" };
        url = target;
      }
      throw new Error(`${request.url.host} redirects more than ${MAX_REDIRECTS} times`);
    },
    [Symbol.dispose]: () => clients.clear(),
  };
}

async function requireAllowed(
  url: URL,
  { trustedHosts, signal }: UpstreamRequest,
  resolve: ResolveHost,
): Promise<void> {
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ForbiddenTargetError(`${url.protocol} is no protocol of registries`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ForbiddenTargetError(`URL of ${url.host} has credentials in it`);
  }
  if (trustedHosts.has(url.host)) return;
  if (await untilAborted(isForbiddenHost(url.hostname, resolve), signal)) {
    throw new ForbiddenTargetError(`${url.host} is not a host that a registry may refer to`);
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
