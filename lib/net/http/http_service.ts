import type { Runtime } from "../../ports/runtime.ts";
import { AcceptLoop, type Acceptor } from "../accept_loop.ts";
import type { ConnectionBudget } from "../connection_budget.ts";
import { formatHostPort } from "../host_port.ts";
import { ipOf } from "../ip.ts";
import type { Accepted, ServerCertificate } from "./accepted.ts";
import { HttpConnection } from "./http_connection.ts";
import { TlsAcceptor } from "./tls_acceptor.ts";
import { traceRequests } from "./trace_requests.ts";
import { UnreadAnswers } from "./unread_answers.ts";

/** Connection-level facts about a request. */
export interface ConnectionInfo {
  readonly remoteAddr: Deno.Addr;
  /** True over TLS. */
  readonly secure: boolean;
}

export interface HttpServiceCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly handle: (request: Request, info: ConnectionInfo) => Response | Promise<Response>;
  /** Bounds connections, together with other servers of this process. */
  readonly connections: Pick<ConnectionBudget, "http" | "takesHandshake">;
}

export interface HttpServiceOptions {
  readonly hostname: string;
  readonly port: number;
  /** Serves over TLS, on a port that another server of this process may share. */
  readonly tls?: ServerCertificate | undefined;
}

/** Interval of deadline checks, ms. */
const CHECK_MS = 1000;

/** An HTTP/1.1 server (see docs/adr/0019-own-http-server.md). */
export class HttpService {
  readonly #collaborators: HttpServiceCollaborators;
  readonly #handle: HttpServiceCollaborators["handle"];
  readonly #secure: boolean;
  readonly #loop: AcceptLoop<Accepted>;
  readonly #connections = new Set<HttpConnection>();
  readonly #unread = new UnreadAnswers();
  readonly #stop = new AbortController();
  #address: Deno.NetAddr;
  #date = new Date().toUTCString();
  #idle: () => void = () => {};

  /** Listens. @throws what `Deno.listen` throws. */
  constructor(collaborators: HttpServiceCollaborators, options: HttpServiceOptions) {
    this.#collaborators = collaborators;
    this.#handle = traceRequests(collaborators.handle);
    const { clock, log } = collaborators;
    const { tls, hostname, port } = options;
    this.#secure = tls !== undefined;
    this.#address = { transport: "tcp", hostname, port };
    const listen = () => this.#listen(tls);
    const take = (accepted: Accepted) => this.#take(accepted);
    this.#loop = new AcceptLoop({ listen, take, clock, log }, `${hostname}:${port}`);
    this.#loop.open();
    this.#check().catch((error) => {
      if (!this.#stop.signal.aborted) log.error("deadline checks of connections failed", { error });
    });
  }

  /** The bound address. */
  get address(): Deno.NetAddr {
    return this.#address;
  }

  /** Whether clients that connect now would wait in vain. */
  get deaf(): boolean {
    return this.#loop.deaf;
  }

  /** Stops accepting, and closes each connection after its request in progress. */
  drain(): Promise<void> {
    this.#loop.close();
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle = resolve);
  }

  /** Closes all remaining connections. */
  close(): void {
    this.#stop.abort();
    this.#loop.close();
    for (const connection of this.#connections) connection.close();
  }

  /** Listens on the same port each time. */
  #listen(tls: ServerCertificate | undefined): Acceptor<Accepted> {
    const { hostname, port } = this.#address;
    if (tls !== undefined) {
      const acceptor = new TlsAcceptor(this.#collaborators, { hostname, port, tls });
      this.#address = acceptor.address;
      return acceptor;
    }
    const listener = Deno.listen({ hostname, port });
    this.#address = listener.addr as Deno.NetAddr;
    return {
      async accept() {
        const socket = await listener.accept();
        return { socket, remoteAddr: socket.remoteAddr, close: () => socket.close() };
      },
      close: () => listener.close(),
    };
  }

  #take({ socket, remoteAddr }: Accepted): void {
    const { connections: { http: admission }, clock, log } = this.#collaborators;
    const info = { remoteAddr, secure: this.#secure };
    const { hostname, port } = this.#address;
    const connection = new HttpConnection(socket, {
      respond: (request) => this.#handle(request, info),
      scheme: this.#secure ? "https" : "http",
      defaultHost: formatHostPort(hostname, port),
      date: () => this.#date,
      unread: this.#unread,
      clock,
      log,
    });
    if (!admission.admit(connection, ipOf(remoteAddr))) return connection.close();
    // Otherwise the end of a response may wait 40 ms for an acknowledgement (RFC 896).
    if ("setNoDelay" in socket) socket.setNoDelay();
    this.#connections.add(connection);
    void connection.run().then(() => {
      admission.leave(connection);
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#idle();
    });
  }

  async #check(): Promise<void> {
    while (true) {
      await this.#collaborators.clock.sleep(CHECK_MS, this.#stop);
      this.#date = new Date().toUTCString();
      for (const connection of this.#connections) connection.check();
    }
  }
}
