import type { Runtime } from "../../ports/runtime.ts";
import { AcceptLoop, type Acceptor } from "../accept_loop.ts";
import { Admission, type AdmittedConnection } from "../admission.ts";
import { ipOf, isLoopback } from "../ip.ts";
import type { Accepted, ServerCertificate } from "./accepted.ts";

export interface TlsGateCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly admission: Admission;
}

export interface TlsGateOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls: ServerCertificate;
}

const LOOPBACK = "127.0.0.1";
const PASSED_BYTES = 64 * 1024;
/** Type, version and length of a TLS record (RFC 8446, section 5.1). */
const RECORD_HEAD_BYTES = 5;
const HANDSHAKE_RECORD = 22;
/**
 * Longest ClientHello that is buffered; the rest of a longer one is proxied like everything else.
 */
const HELLO_BYTES = 4 * 1024;
/** Deadline of a handshake, ms, from the connection's start. */
const HANDSHAKE_MS = 10_000;
/** Maximum pending handshakes behind the gate: each takes three files. */
const MAX_HANDSHAKES = 16;
/**
 * How long to wait for both ends of a loopback connection to be known, ms, and the interval of
 * checks.
 */
const MATCH_MS = 200;
const POLL_MS = 5;

/**
 * A TCP proxy before a TLS listener, over loopback. It costs twice the CPU time, so it is used only
 * while clients hold so many pending handshakes that no more are allowed: its connections are plain
 * TCP, and can be closed at any time.
 */
export class TlsGate implements Acceptor<Accepted> {
  readonly #collaborators: TlsGateCollaborators;
  readonly #inner: Deno.TlsListener;
  readonly #loop: AcceptLoop<Deno.TcpConn>;
  /** By the port from which each connects to the inner listener, until it accepts them. */
  readonly #proxied = new Map<number, ProxiedConnection>();
  readonly #handshakes = new Admission({
    limits: () => ({
      local: MAX_HANDSHAKES,
      remote: MAX_HANDSHAKES,
      perAddress: MAX_HANDSHAKES,
    }),
    raise: () => false,
    isLocal: isLoopback,
  });

  /** @throws what `Deno.listen` throws. */
  constructor(collaborators: TlsGateCollaborators, { hostname, port, tls }: TlsGateOptions) {
    this.#collaborators = collaborators;
    const { clock, log } = collaborators;
    const alpnProtocols = ["http/1.1"];
    this.#inner = Deno.listenTls({ hostname: LOOPBACK, port: 0, ...tls, alpnProtocols });
    const listen = () => Deno.listen({ hostname, port, reusePort: true });
    const take = (socket: Deno.TcpConn) => this.#take(socket);
    this.#loop = new AcceptLoop({ listen, take, clock, log }, `${hostname}:${port}`);
    try {
      this.#loop.open();
    } catch (error) {
      this.#inner.close();
      throw error;
    }
  }

  /** {@inheritDoc Acceptor.accept} */
  async accept(): Promise<Accepted> {
    while (true) {
      const socket = await this.#inner.accept();
      const connection = await this.#connectionFrom((socket.remoteAddr as Deno.NetAddr).port);
      if (connection !== undefined && !connection.closed) {
        const { remoteAddr } = connection;
        return {
          socket,
          remoteAddr,
          cut: () => connection.close(),
          greeted: () => connection.greeted(),
          close: () => socket.close(),
        };
      }
      // It did not come through the gate, or has ended since.
      socket.close();
    }
  }

  /** Stops accepting; proxied connections stay open. */
  close(): void {
    this.#loop.close();
    this.#inner.close();
  }

  async #connectionFrom(port: number): Promise<ProxiedConnection | undefined> {
    for (let waited = 0; waited < MATCH_MS; waited += POLL_MS) {
      const connection = this.#proxied.get(port);
      if (connection !== undefined) {
        this.#proxied.delete(port);
        return connection;
      }
      await this.#collaborators.clock.sleep(POLL_MS);
    }
    return undefined;
  }

  #take(socket: Deno.TcpConn): void {
    const { admission, clock } = this.#collaborators;
    const connection = new ProxiedConnection(socket, clock.now());
    const address = ipOf(socket.remoteAddr);
    if (!admission.admit(connection, address)) return socket.close();
    const { port } = this.#inner.addr as Deno.NetAddr;
    const over = new AbortController();
    clock.sleep(HANDSHAKE_MS, over).then(() => connection.close(), () => {});
    const run = connection.run(port, {
      begins: () => this.#handshakes.admit(connection, address),
      opened: (localPort) => this.#proxied.set(localPort, connection),
      greeted: () => {
        over.abort();
        this.#handshakes.leave(connection);
      },
    });
    void run.then(() => {
      over.abort();
      this.#handshakes.leave(connection);
      admission.leave(connection);
    });
  }
}

/** Callbacks of a {@link ProxiedConnection}. */
interface ProxyObserver {
  /** The client has sent its hello; returns whether there is room for its handshake. */
  readonly begins: () => boolean;
  /** It is connected to the inner listener, from this port. */
  readonly opened: (localPort: number) => void;
  /** The handshake is done. */
  readonly greeted: () => void;
}

/** One proxied connection. */
class ProxiedConnection implements AdmittedConnection {
  readonly remoteAddr: Deno.Addr;
  readonly #front: Deno.TcpConn;
  #back: Deno.TcpConn | undefined;
  /** Set until the handshake is done; then the server decides. */
  idleSince: number | undefined;
  #closed = false;
  #greeted: () => void = () => {};

  constructor(front: Deno.TcpConn, now: number) {
    this.#front = front;
    this.remoteAddr = front.remoteAddr;
    this.idleSince = now;
  }

  /** Whether either side has ended it. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Proxies until either side ends; does not reject. */
  async run(port: number, { begins, opened, greeted }: ProxyObserver): Promise<void> {
    this.#greeted = greeted;
    try {
      const hello = await this.#hello();
      if (hello === undefined || this.#closed || !begins()) return;
      this.#front.setNoDelay();
      const back = await Deno.connect({ hostname: LOOPBACK, port });
      this.#back = back;
      // Even if it has ended: otherwise the inner listener would wait for what it accepts.
      opened((back.localAddr as Deno.NetAddr).port);
      if (this.#closed) return back.close();
      back.setNoDelay();
      await writeAll(back, hello);
      // The server decides when to end: it does when its client has ended, too.
      const ending = pass(this.#front, back).then(() => back.closeWrite()).catch(() => {});
      await pass(back, this.#front);
      await this.#front.closeWrite();
      this.close();
      await ending;
    } catch {
      // Either side has closed.
    } finally {
      this.close();
    }
  }

  greeted(): void {
    this.idleSince = undefined;
    this.#greeted();
  }

  /**
   * The client's first record. It is read completely, so that a client that stops in it costs only
   * its socket.
   */
  async #hello(): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(HELLO_BYTES);
    let held = 0;
    let wanted = RECORD_HEAD_BYTES;
    while (held < wanted) {
      const read = await this.#front.read(bytes.subarray(held));
      if (read === null) return undefined;
      held += read;
      // The inner listener rejects it.
      if (bytes[0] !== HANDSHAKE_RECORD) break;
      if (held < RECORD_HEAD_BYTES) continue;
      const length = 256 * (bytes[3] ?? 0) + (bytes[4] ?? 0);
      wanted = Math.min(RECORD_HEAD_BYTES + length, HELLO_BYTES);
    }
    return bytes.subarray(0, held);
  }

  close(): void {
    this.#closed = true;
    for (const socket of [this.#front, this.#back]) {
      try {
        socket?.close();
      } catch {
        // Already closed.
      }
    }
  }
}

/** Does not reject. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(PASSED_BYTES);
  try {
    for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
      await writeAll(to, buffer.subarray(0, read));
    }
  } catch {
    // Either side has closed.
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}
