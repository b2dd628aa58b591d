import { systemClock } from "../async/clock.ts";
import { messageOf } from "../async/thrown.ts";
import type { ListenAddress } from "../config/types.ts";
import { ConnectionBudget, type ServerConnections } from "../net/connection_budget.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { ServerCertificate } from "../net/http/accepted.ts";
import { type ConnectionInfo, HttpService } from "../net/http/http_service.ts";
import { listenEverywhere } from "../net/listen_everywhere.ts";
import type { Log } from "../ports/log.ts";

/** A listening server. */
export interface HttpServer {
  /** Address that it listens on, e.g. `127.0.0.1:5000` or `[::]:5000`. */
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  /** Whether it fails to accept connections. */
  deaf(): boolean;
  /**
   * Accepts no more connections, and lets requests in progress end. Resolves when they have ended,
   * at the latest shortly after `drainTimeoutMs`: by then the handler must have aborted the rest.
   * With 0 it closes all connections at once. Does not reject. Call it once.
   */
  shutdown(drainTimeoutMs: number): Promise<void>;
}

/** Information that the server passes with each request. */
export interface ServerInfo extends ConnectionInfo {
  /** The server no longer uses a chunk of a response's body when it asks for the next. */
  readonly takesChunks: true;
}

/** Collaborators of {@link startHttpServer}. */
export interface HttpServerCollaborators {
  /** Answers requests, e.g. the `fetch` method of an app. */
  readonly fetch: (
    request: Request,
    info: ServerInfo,
  ) => Response | Promise<Response>;
  readonly log: Log;
  /** Bounds connections; default: a budget of its own. */
  readonly connections?: ServerConnections;
  /**
   * Serves over TLS. Another server of this process may listen on the same port, so that one with a
   * new certificate takes over without a gap.
   */
  readonly tls?: ServerCertificate;
}

/** A server cannot listen on its address. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** The address as configured. */
  readonly address: string;

  constructor(address: string, reason: string, cause: unknown) {
    super(`cannot listen on ${address}: ${reason}`, { cause });
    this.address = address;
  }
}

/**
 * Starts an HTTP server.
 *
 * @throws {ListenError} if the address is in use or does not exist, or the certificate is invalid.
 */
export function startHttpServer(
  { fetch, log, tls, connections = new ConnectionBudget() }: HttpServerCollaborators,
  wanted: ListenAddress,
): HttpServer {
  const listen = (hostname: string) =>
    new HttpService({
      handle: (request, info) => fetch(request, { ...info, takesChunks: true }),
      connections,
      clock: systemClock,
      log,
    }, { hostname, port: wanted.port, tls });
  const server = listenOn(wanted, listen);
  const { hostname, port } = server.address;
  return {
    address: formatHostPort(hostname, port),
    hostname,
    port,
    deaf: () => server.deaf,
    shutdown: (drainTimeoutMs) => shutdown(server, drainTimeoutMs, log),
  };
}

function listenOn(wanted: ListenAddress, listen: (host: string) => HttpService): HttpService {
  try {
    return listenEverywhere(wanted.host, listen);
  } catch (error) {
    throw new ListenError(formatHostPort(wanted.host, wanted.port), reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is already in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "no interface has this address";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return messageOf(error);
}

/** Time for connections to close after their handlers aborted them at the drain timeout. */
const CLOSE_MS = 1000;

async function shutdown(server: HttpService, drainTimeoutMs: number, log: Log): Promise<void> {
  if (drainTimeoutMs === 0) return server.close();
  const drained = server.drain();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), drainTimeoutMs + CLOSE_MS);
  });
  if (await Promise.race([drained, late]) === "late") {
    log.warn("HTTP server still had open connections, closed them", { drainTimeoutMs });
  }
  clearTimeout(timer);
  server.close();
}
