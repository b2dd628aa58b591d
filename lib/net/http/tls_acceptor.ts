import type { Runtime } from "../../ports/runtime.ts";
import type { Acceptor } from "../accept_loop.ts";
import type { ConnectionBudget } from "../connection_budget.ts";
import type { Accepted, ServerCertificate } from "./accepted.ts";
import { TlsGate } from "./tls_gate.ts";

export interface TlsAcceptorCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly connections: Pick<ConnectionBudget, "http" | "takesHandshake">;
}

export interface TlsAcceptorOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls: ServerCertificate;
}

/**
 * Accepts TLS connections after their handshakes. The runtime cannot cancel a handshake: a socket
 * that is closed meanwhile stays open until the client sends or closes something. So their number
 * is bounded; at the bound, connections come through a {@link TlsGate}, where they can be closed,
 * until most of the pending handshakes have ended.
 */
export class TlsAcceptor implements Acceptor<Accepted> {
  readonly #collaborators: TlsAcceptorCollaborators;
  readonly #options: TlsAcceptorOptions;
  /** Connections whose handshake is pending and cannot be cancelled. */
  readonly #held = new Set<Accepted>();
  readonly #greeted = new Set<Accepted>();
  readonly #done: Accepted[] = [];
  readonly #stop = new AbortController();
  #source: DirectListener | TlsGate;
  #next: Promise<void> | undefined;
  #woken = Promise.withResolvers<void>();

  /** Listens. @throws what `Deno.listenTls` throws. */
  constructor(collaborators: TlsAcceptorCollaborators, options: TlsAcceptorOptions) {
    this.#collaborators = collaborators;
    this.#source = new DirectListener(options);
    this.#options = { ...options, port: this.#source.address.port };
  }

  /** The configured address. */
  get address(): Deno.NetAddr {
    const { hostname, port } = this.#options;
    return { transport: "tcp", hostname, port };
  }

  /** {@inheritDoc Acceptor.accept} */
  async accept(): Promise<Accepted> {
    while (true) {
      const done = this.#done.shift();
      if (done !== undefined) return done;
      this.#choose();
      this.#next ??= this.#acceptFrom(this.#source);
      await Promise.race([this.#next, this.#woken.promise]);
    }
  }

  /** Stops accepting, and closes connections with a pending handshake where possible. */
  close(): void {
    this.#stop.abort();
    this.#source.close();
    for (const accepted of [...this.#greeted, ...this.#done]) end(accepted);
  }

  /** Switches between direct listening and the gate when due. */
  #choose(): void {
    const { connections, log, clock } = this.#collaborators;
    const before = this.#source;
    const isGate = before instanceof TlsGate;
    if (isGate && connections.takesHandshake(2 * this.#held.size)) {
      this.#source = new DirectListener(this.#options);
    } else if (!isGate && !connections.takesHandshake(this.#held.size)) {
      this.#source = new TlsGate({ admission: connections.http, clock, log }, this.#options);
    } else return;
    this.#next = undefined;
    before.close();
    log.warn(
      isGate
        ? "few TLS handshakes are pending, connections are accepted directly again"
        : "too many TLS handshakes are pending, connections are proxied",
      { held: this.#held.size },
    );
  }

  async #acceptFrom(source: DirectListener | TlsGate): Promise<void> {
    try {
      this.#greet(await source.accept());
    } catch (error) {
      // The error of a closed source is expected.
      if (source === this.#source) throw error;
    } finally {
      if (source === this.#source) this.#next = undefined;
    }
  }

  #greet(accepted: Accepted): void {
    const socket = accepted.socket as Deno.TlsConn;
    this.#greeted.add(accepted);
    if (accepted.cut === undefined) this.#held.add(accepted);
    socket.handshake().finally(() => {
      this.#greeted.delete(accepted);
      this.#held.delete(accepted);
    }).then(() => {
      if (this.#stop.signal.aborted) return end(accepted);
      accepted.greeted?.();
      this.#done.push(accepted);
      this.#wake();
    }, () => {
      end(accepted);
      this.#wake();
    });
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }
}

/** The runtime's own TLS listener. */
class DirectListener implements Acceptor<Accepted> {
  readonly #listener: Deno.TlsListener;

  constructor({ hostname, port, tls }: TlsAcceptorOptions) {
    const alpnProtocols = ["http/1.1"];
    this.#listener = Deno.listenTls({ hostname, port, ...tls, alpnProtocols, reusePort: true });
  }

  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  async accept(): Promise<Accepted> {
    const socket = await this.#listener.accept();
    return { socket, remoteAddr: socket.remoteAddr, close: () => socket.close() };
  }

  close(): void {
    this.#listener.close();
  }
}

function end(accepted: Accepted): void {
  accepted.cut?.();
  try {
    accepted.close();
  } catch {
    // Already closed.
  }
}
