import type { ListenAddress } from "../config/types.ts";
import type { Log } from "../ports.ts";

/** A server that listens. */
export interface HttpServer {
  /** Where it really listens, e.g. `127.0.0.1:5000` or `[::]:5000`. */
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  /**
   * Takes no more connections and lets requests under way end; resolves when all have, or when it
   * has waited a little longer than `drainTimeoutMs`: by then the handler must have broken those
   * that are left. With 0 it breaks all connections at once. Does not reject. Call it once.
   */
  shutdown(drainTimeoutMs: number): Promise<void>;
}

/** What the server tells with each request. */
export interface ServerInfo {
  readonly remoteAddr: Deno.Addr;
  /**
   * The server is done with each chunk of a response's body when it asks for the next: the runtime
   * has moved it to where the garbage collector of this thread has no say.
   */
  readonly takesChunks: true;
  /** Bytes are encrypted on the way. */
  readonly secure: boolean;
}

/** What a server shows to its clients, as PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a server works with. */
export interface HttpServerCollaborators {
  /** Answers requests, e.g. the `fetch` method of an app. */
  readonly fetch: (
    request: Request,
    info: ServerInfo,
  ) => Response | Promise<Response>;
  readonly log: Log;
  /**
   * Serves by TLS, on a port that another server of this process may have too, so that one with a
   * new certificate takes over without a moment in which nobody listens.
   */
  readonly tls?: ServerCertificate;
}

/** A server cannot listen where it should. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** The address as it was configured. */
  readonly address: string;

  constructor(address: string, reason: string, cause: unknown) {
    super(`cannot listen on ${address}: ${reason}`, { cause });
    this.address = address;
  }
}

/**
 * Starts an HTTP server.
 *
 * @throws {ListenError} if the address is in use or not there, or the certificate is not good.
 */
export function startHttpServer(
  { fetch, log, tls }: HttpServerCollaborators,
  wanted: ListenAddress,
): HttpServer {
  const abort = new AbortController();
  const secure = tls !== undefined;
  const listen = (hostname: string) =>
    Deno.serve(
      {
        ...(tls && { ...tls, reusePort: true }),
        hostname,
        port: wanted.port,
        signal: abort.signal,
        onListen: () => {},
        onError: (error) => {
          log.error("HTTP handler failed", { error });
          return new Response(null, { status: 500 });
        },
      },
      (request, info) => fetch(request, { remoteAddr: info.remoteAddr, takesChunks: true, secure }),
    );
  const server = listenOn(wanted, listen);
  const { hostname, port } = server.addr;
  return {
    address: formatAddress({ host: hostname, port }),
    hostname,
    port,
    shutdown: (drainTimeoutMs) => shutdown(server, abort, drainTimeoutMs, log),
  };
}

type Server = Deno.HttpServer<Deno.NetAddr>;

function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function listenOn(wanted: ListenAddress, listen: (host: string) => Server): Server {
  try {
    if (wanted.host !== "") return listen(wanted.host);
    try {
      return listen("::");
    } catch (error) {
      // A kernel without IPv6 has no such address; whatever else is wrong is so for IPv4 as well.
      if (error instanceof Deno.errors.AddrInUse) throw error;
      return listen("0.0.0.0");
    }
  } catch (error) {
    throw new ListenError(formatAddress(wanted), reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is already in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "no interface has this address";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}

/** Time for connections to close that their handlers broke when the drain timeout passed. */
const CLOSE_MS = 1000;

async function shutdown(
  server: Server,
  abort: AbortController,
  drainTimeoutMs: number,
  log: Log,
): Promise<void> {
  if (drainTimeoutMs === 0) {
    abort.abort();
    return await server.finished;
  }
  // Once shutdown() is called the signal must not abort any more: Deno throws where none can catch.
  const stopped = server.shutdown().catch((error) =>
    log.warn("HTTP server did not stop cleanly", { error })
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), drainTimeoutMs + CLOSE_MS);
  });
  if (await Promise.race([stopped, late]) === "late") {
    server.unref();
    log.warn("HTTP server still has open connections, not waited for", { drainTimeoutMs });
  }
  clearTimeout(timer);
}
