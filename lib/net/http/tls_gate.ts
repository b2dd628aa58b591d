import type { Runtime } from "../../ports/runtime.ts";
import { AcceptLoop, type Acceptor } from "../accept_loop.ts";
import type { Admission, Guest } from "../admission.ts";
import { ipOf } from "../socket_address.ts";
import type { Accepted, ServerCertificate } from "./accepted.ts";

/** What a {@link TlsGate} works with. */
export interface TlsGateCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly admission: Admission;
}

/** Where a {@link TlsGate} stands. */
export interface TlsGateOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls: ServerCertificate;
}

const LOOPBACK = "127.0.0.1";
const PASSED_BYTES = 64 * 1024;
/** The hello, or most of it; the rest is passed on as all else. */
const FIRST_BYTES = 2 * 1024;
/** Between both ends of a connection on loopback becoming known, ms, and how often it is looked. */
const MEETING_MS = 200;
const LOOK_MS = 5;

/**
 * Stands before a listener for TLS and passes bytes on to it, over loopback. That costs twice the
 * processor time, so it is there only while so many clients hold handshakes that the runtime takes no
 * more: connections that come through the gate are plain ones here, and can be ended at any time.
 */
export class TlsGate implements Acceptor<Accepted> {
  readonly #collaborators: TlsGateCollaborators;
  readonly #inner: Deno.TlsListener;
  readonly #loop: AcceptLoop<Deno.TcpConn>;
  /** By the port from which each comes to the listener behind the gate. */
  readonly #passing = new Map<number, Passage>();

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
      const passage = await this.#whoseIs((socket.remoteAddr as Deno.NetAddr).port);
      if (passage !== undefined) {
        const { remoteAddr } = passage;
        return { socket, remoteAddr, cut: () => passage.close(), close: () => socket.close() };
      }
      // It did not come through the gate.
      socket.close();
    }
  }

  /** Takes no more; those that have come through go on. */
  close(): void {
    this.#loop.close();
    this.#inner.close();
  }

  async #whoseIs(port: number): Promise<Passage | undefined> {
    for (let waited = 0; waited < MEETING_MS; waited += LOOK_MS) {
      const passage = this.#passing.get(port);
      if (passage !== undefined) return passage;
      await this.#collaborators.clock.sleep(LOOK_MS);
    }
    return undefined;
  }

  #take(socket: Deno.TcpConn): void {
    const { admission, clock } = this.#collaborators;
    const passage = new Passage(socket, clock.now());
    if (!admission.admit(passage, ipOf(socket.remoteAddr))) return socket.close();
    const { port } = this.#inner.addr as Deno.NetAddr;
    let own: number | undefined;
    const opened = (localPort: number) => this.#passing.set(own = localPort, passage);
    void passage.run(port, opened).then(() => {
      admission.leave(passage);
      if (own !== undefined) this.#passing.delete(own);
    });
  }
}

/** One connection through the gate. */
class Passage implements Guest {
  readonly remoteAddr: Deno.Addr;
  readonly #front: Deno.TcpConn;
  #back: Deno.TcpConn | undefined;
  /** Until something is heard; then it is the server's to say. */
  idleSince: number | undefined;
  #closed = false;

  constructor(front: Deno.TcpConn, now: number) {
    this.#front = front;
    this.remoteAddr = front.remoteAddr;
    this.idleSince = now;
  }

  /** Passes on until it is over; does not reject. */
  async run(port: number, opened: (localPort: number) => void): Promise<void> {
    const first = new Uint8Array(FIRST_BYTES);
    try {
      const read = await this.#front.read(first);
      if (read === null || this.#closed) return;
      this.idleSince = undefined;
      this.#front.setNoDelay();
      const back = await Deno.connect({ hostname: LOOPBACK, port });
      this.#back = back;
      if (this.#closed) return back.close();
      back.setNoDelay();
      opened((back.localAddr as Deno.NetAddr).port);
      await writeAll(back, first.subarray(0, read));
      // The server has the last word: it ends when its client has, too.
      const ending = pass(this.#front, back).then(() => back.closeWrite()).catch(() => {});
      await pass(back, this.#front);
      await this.#front.closeWrite();
      this.close();
      await ending;
    } catch {
      // Either end has gone.
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#closed = true;
    for (const socket of [this.#front, this.#back]) {
      try {
        socket?.close();
      } catch {
        // It is closed already.
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
    // Either end has gone.
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}
