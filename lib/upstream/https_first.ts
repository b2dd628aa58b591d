import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import { isNotTls } from "./misconfigured_error.ts";
import type { Cancellable } from "../ports/cancellable.ts";

/** The part of a request that says where it may go. */
export interface HttpsFirst extends Cancellable {
  /** True: at an `http:` URL, HTTPS is tried first; default false. */
  readonly httpsFirst?: boolean | undefined;
  /** Configured hosts, which may be at any address, including this machine. */
  readonly trustedHosts: ReadonlySet<string>;
}

/** Sends one request, without redirects. */
type SendOnce<Request> = (url: URL, request: Request) => Promise<Response>;

/** Hosts without HTTPS that are remembered. */
const MAX_PLAIN = 256;
/** Time for HTTPS on port 443, which may be closed silently, ms. */
const OTHER_PORT_MS = 300;

/**
 * Makes HTTPS the first choice at `http:` URLs of requests that say so, as containerd does for
 * hosts that have TLS settings: plain HTTP is used if the port speaks it, or if no port is named
 * and 443 does not answer.
 *
 * Source: containerd core/remotes/docker/resolver.go, `NewHTTPFallback`.
 */
export function preferHttps<Request extends HttpsFirst>(
  send: SendOnce<Request>,
): SendOnce<Request> {
  const plain = new LRUCache<string, true>({ max: MAX_PLAIN });
  return async (url, request) => {
    if (request.httpsFirst !== true || url.protocol !== "http:") return await send(url, request);
    if (!plain.has(url.host)) {
      const response = await tryHttps(url, request, send);
      if (response !== undefined) return response;
      plain.set(url.host, true);
    }
    try {
      const response = await send(url, request);
      // So say servers of HTTPS that are spoken to in plain HTTP.
      if (response.status === 400) plain.delete(url.host);
      return response;
    } catch (error) {
      plain.delete(url.host);
      throw error;
    }
  };
}

/** Undefined if plain HTTP is to be used. */
async function tryHttps<Request extends HttpsFirst>(
  url: URL,
  request: Request,
  send: SendOnce<Request>,
): Promise<Response | undefined> {
  const secure = new URL(url);
  secure.protocol = "https:";
  const trustedHosts = request.trustedHosts.has(url.host)
    ? new Set([...request.trustedHosts, secure.host])
    : request.trustedHosts;
  const isOtherPort = url.port === "";
  const limit = isOtherPort ? deadline(OTHER_PORT_MS, request) : undefined;
  const signal = limit?.signal ?? request.signal;
  try {
    const response = await send(secure, { ...request, trustedHosts, signal });
    // The signal still has to cancel the body.
    limit?.clear();
    return response;
  } catch (error) {
    limit?.[Symbol.dispose]();
    request.signal.throwIfAborted();
    const isSilent = isOtherPort && (signal.aborted || isRefused(error));
    if (isSilent || isNotTls(error)) return undefined;
    throw error;
  }
}

function isRefused(error: unknown): boolean {
  if (error instanceof Deno.errors.ConnectionRefused) return true;
  return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
}
