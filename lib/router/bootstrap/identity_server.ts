import { systemClock } from "../../async/clock.ts";
import { deadline } from "../../async/deadline.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { ConnectionBudget } from "../../net/connection_budget.ts";
import { withoutBrackets } from "../../net/host_port.ts";
import { HttpService } from "../../net/http/http_service.ts";
import { listenEverywhere } from "../../net/listen_everywhere.ts";
import { BOOTSTRAP_PATH, type BootstrapEntry } from "../../oci/peer_protocol.ts";
import type { Log } from "../../ports/log.ts";
import { RouterListenError } from "../libp2p/router_listen_error.ts";
import type { BootstrapSelf } from "./bootstrapper.ts";

/** Other peers named in an answer, so that the client does not depend on one node. */
const MAX_OTHERS = 7;
const SHUTDOWN_TIMEOUT_MS = 1000;

export interface IdentityServerCollaborators {
  readonly log: Log;
  /** Bounds connections; default: separate limits for this server. */
  readonly connections?: ConnectionBudget | undefined;
}

/** Serves other nodes' HTTP bootstrap. */
export interface IdentityServer {
  readonly port: number;
  /** Whether it can no longer accept connections. */
  deaf(): boolean;
  /** Ends within a second; does not reject. */
  stop(): Promise<void>;
}

/**
 * Serves `/id`: this node and some others, as go-libp2p's AddrInfo in JSON.
 *
 * @param listen empty host: all addresses.
 * @throws {RouterListenError} if the address cannot be listened on.
 */
export function startIdentityServer(
  listen: { readonly host: string; readonly port: number },
  self: BootstrapSelf,
  { log, connections = new ConnectionBudget() }: IdentityServerCollaborators,
): IdentityServer {
  const handle = (request: Request) => answer(request, self);
  const serve = (hostname: string) =>
    new HttpService({ handle, connections, clock: systemClock, log }, {
      hostname,
      port: listen.port,
    });
  try {
    const server = listenEverywhere(withoutBrackets(listen.host), serve);
    return { port: server.address.port, deaf: () => server.deaf, stop: () => close(server) };
  } catch (error) {
    throw new RouterListenError(listen, error, "HTTP bootstrap");
  }
}

function answer(request: Request, self: BootstrapSelf): Response {
  if (new URL(request.url).pathname !== BOOTSTRAP_PATH) return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const others = self.others?.(MAX_OTHERS) ?? [];
  // This node comes first: Spegel reads only three.
  const entries: readonly BootstrapEntry[] = [
    { ID: self.id, Addrs: self.addresses() },
    ...others.map(({ id, addresses }) => ({ ID: id, Addrs: addresses, Hearsay: true })),
  ];
  return Response.json(entries);
}

async function close(server: HttpService): Promise<void> {
  using limit = deadline(SHUTDOWN_TIMEOUT_MS);
  await untilAborted(server.drain(), limit.signal).catch(() => {});
  server.close();
}
