import { systemClock } from "../async/clock.ts";
import { messageOf } from "../async/thrown.ts";
import type { ListenAddress } from "../config/types.ts";
import { ConnectionBudget, type ServerConnections } from "../net/connection_budget.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { ServerCertificate } from "../net/http/accepted.ts";
import { type ConnectionInfo, HttpService } from "../net/http/http_service.ts";
import { listenEverywhere } from "../net/listen_everywhere.ts";
import type { Log } from "../ports/log.ts";

/** A server that listens. */
export interface HttpServer {
  /** Where it really listens, e.g. `127.0.0.1:5000` or `[::]:5000`. */
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  /** Whether connections wait in vain to be accepted. */
  deaf(): boolean;
  /**
   * Takes no more connections and lets requests under way end; resolves when all have, or when it
   * has waited a little longer than `drainTimeoutMs`: by then the handler must have broken those
   * that are left. With 0 it breaks all connections at once. Does not reject. Call it once.
   */
  shutdown(drainTimeoutMs: number): Promise<void>;
}

/** What the server tells with each request. */
export interface ServerInfo extends ConnectionInfo {
  /** The server is done with each chunk of a response's body when it asks for the next. */
  readonly takesChunks: true;
}

/** What a server works with. */
export interface HttpServerCollaborators {
  /** Answers requests, e.g. the `fetch` method of an app. */
  readonly fetch: (
    request: Request,
    info: ServerInfo,
  ) => Response | Promise<Response>;
  readonly log: Log;
  /** Bounds connections; default: this server's alone. */
  readonly connections?: ServerConnections;
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

/** Time for connections to close that their handlers broke when the drain timeout passed. */
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
