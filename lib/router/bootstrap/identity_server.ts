import { deadline } from "../../async/deadline.ts";
import { withoutBrackets } from "../address.ts";
import { RouterListenError } from "../router_listen_error.ts";
import type { BootstrapSelf } from "./bootstrapper.ts";

/** Other peers that an answer names besides this node: whoever asks should not depend on one. */
const MAX_OTHERS = 7;
const SHUTDOWN_TIMEOUT_MS = 1000;

type Server = Deno.HttpServer<Deno.NetAddr>;

/** Answers other nodes' HTTP bootstrap. */
export interface IdentityServer {
  readonly port: number;
  /** Ends within a second; does not reject. */
  stop(): Promise<void>;
}

/**
 * Serves `/id`: this node and some others, in the JSON form of go-libp2p's AddrInfo.
 *
 * @param listen empty host: everywhere.
 * @throws {RouterListenError} if the address cannot be listened on.
 */
export function startIdentityServer(
  listen: { readonly host: string; readonly port: number },
  self: BootstrapSelf,
): IdentityServer {
  const server = open(listen, (request) => answer(request, self));
  return { port: server.addr.port, stop: () => close(server) };
}

function answer(request: Request, self: BootstrapSelf): Response {
  if (new URL(request.url).pathname !== "/id") return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const others = self.others?.(MAX_OTHERS) ?? [];
  // This node comes first: Spegel reads three.
  return Response.json([
    { ID: self.id, Addrs: self.addresses() },
    ...others.map(({ id, addresses }) => ({ ID: id, Addrs: addresses, Hearsay: true })),
  ]);
}

function open(
  listen: { readonly host: string; readonly port: number },
  handler: (request: Request) => Response,
): Server {
  const { port } = listen;
  const serve = (hostname: string) => Deno.serve({ hostname, port, onListen: () => {} }, handler);
  try {
    if (listen.host !== "") return serve(withoutBrackets(listen.host));
    try {
      return serve("::");
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) throw error;
      // A host without IPv6.
      return serve("0.0.0.0");
    }
  } catch (error) {
    throw new RouterListenError(listen, error, "HTTP bootstrap");
  }
}

async function close(server: Server): Promise<void> {
  using limit = deadline(SHUTDOWN_TIMEOUT_MS);
  const late = new Promise<void>((resolve) => {
    limit.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([server.shutdown(), late]);
}
