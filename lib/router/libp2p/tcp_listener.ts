import { type ComponentLogger, type Listener, TypedEventEmitter } from "@libp2p/interface";
import type { ListenerEvents, Upgrader } from "@libp2p/interface";
import { getThinWaistAddresses } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { AcceptLoop } from "../../net/accept_loop.ts";
import type { Admission, AdmittedConnection } from "../../net/admission.ts";
import { ipOf } from "../../net/ip.ts";
import type { Runtime } from "../../ports/runtime.ts";
import { toMultiaddrString } from "./address.ts";
import { TcpConnection } from "./tcp_connection.ts";

/** Interval of inactivity checks, ms. */
const CHECK_MS = 5000;

export interface InboundCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Admits or rejects connections. */
  readonly admission: Admission;
}

/** What a transport passes to its listeners. */
interface TransportParts {
  readonly upgrader: Upgrader;
  readonly logger: ComponentLogger;
  /** The transport's connections; the listener checks them for inactivity and closes them. */
  readonly connections: Set<TcpConnection>;
}

/**
 * Listens for other nodes. The library's own listener is the runtime's, which never accepts again
 * after too many open files, and has no admission.
 */
export class TcpListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #collaborators: InboundCollaborators;
  readonly #transport: TransportParts;
  readonly #stop = new AbortController();
  #loop: AcceptLoop<Deno.TcpConn> | undefined;
  #address: Multiaddr | undefined;
  #port = 0;

  constructor(collaborators: InboundCollaborators, transport: TransportParts) {
    super();
    this.#collaborators = collaborators;
    this.#transport = transport;
  }

  /** Whether it can no longer accept connections. */
  get deaf(): boolean {
    return this.#loop?.deaf ?? false;
  }

  /** {@inheritDoc Listener.listen} */
  // deno-lint-ignore require-await
  async listen(address: Multiaddr): Promise<void> {
    const [host, transport] = address.getComponents();
    const hostname = host?.value ?? "";
    this.#port = Number(transport?.value);
    const listen = () => {
      const listener = Deno.listen({ hostname, port: this.#port });
      this.#port = listener.addr.port;
      return listener;
    };
    const take = (socket: Deno.TcpConn) => this.#take(socket);
    const { clock, log } = this.#collaborators;
    const loop = new AcceptLoop({ listen, take, clock, log }, address.toString());
    loop.open();
    this.#loop = loop;
    this.#address = address;
    this.#check().catch((error) => {
      if (!this.#stop.signal.aborted) {
        log.error("inactivity checks of connections failed", { error });
      }
    });
    this.safeDispatchEvent("listening");
  }

  /** {@inheritDoc Listener.getAddrs} */
  getAddrs(): Multiaddr[] {
    return this.#address === undefined ? [] : getThinWaistAddresses(this.#address, this.#port);
  }

  /** {@inheritDoc Listener.updateAnnounceAddrs} */
  updateAnnounceAddrs(): void {}

  /** {@inheritDoc Listener.close} */
  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#stop.abort();
    this.#loop?.close();
    this.#address = undefined;
    const reason = new Error("the router stops");
    for (const connection of this.#transport.connections) connection.abort(reason);
    this.safeDispatchEvent("close");
  }

  #take(socket: Deno.TcpConn): void {
    const { admission, clock } = this.#collaborators;
    const admitted = new PendingInbound(socket, clock.now());
    const ip = ipOf(socket.remoteAddr);
    if (!admission.admit(admitted, ip)) return socket.close();
    const { connections, logger, upgrader } = this.#transport;
    const log = logger.forComponent("eddy:inbound");
    const { port } = socket.remoteAddr as Deno.NetAddr;
    const remoteAddr = multiaddr(toMultiaddrString({ ip, port }));
    const init = { remoteAddr, direction: "inbound" } as const;
    const connection = admitted.connection = new TcpConnection(socket, init, { clock, log });
    connections.add(connection);
    connection.addEventListener("close", () => {
      connections.delete(connection);
      void connection.released().then(() => admission.leave(admitted));
    });
    // Nagle's algorithm and delayed acknowledgement would add 40 ms to each small exchange.
    socket.setNoDelay();
    connection.start();
    const { signal } = this.#stop;
    upgrader.upgradeInbound(connection, { signal }).then(
      () => admitted.isAuthenticated = true,
      (error) => connection.abort(error),
    );
  }

  async #check(): Promise<void> {
    while (true) {
      await this.#collaborators.clock.sleep(CHECK_MS, this.#stop);
      for (const connection of this.#transport.connections) connection.check();
    }
  }
}

/** An inbound connection; it can be evicted until its peer is authenticated. */
class PendingInbound implements AdmittedConnection {
  readonly #socket: Deno.TcpConn;
  readonly #since: number;
  connection: TcpConnection | undefined;
  isAuthenticated = false;

  constructor(socket: Deno.TcpConn, since: number) {
    this.#socket = socket;
    this.#since = since;
  }

  get idleSince(): number | undefined {
    return this.isAuthenticated ? undefined : this.#since;
  }

  close(): void {
    if (this.connection === undefined) this.#socket.close();
    else this.connection.abort(new Error("evicted for another connection"));
  }
}
