import type { AbortOptions, Logger, MessageStreamDirection } from "@libp2p/interface";
import { AbstractMultiaddrConnection } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import { errorOf } from "../../async/thrown.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import { joinBytes } from "../../net/bytes.ts";
import type { Clock } from "../../ports/clock.ts";

/** Bytes queued for writing before the writer is asked to wait. */
const HIGH_WATER_BYTES = 64 * 1024;
/** Read size; small, since delivered data keeps its buffer alive. */
const READ_BYTES = 16 * 1024;
/** Minimum remaining buffer to read into. */
const SMALL_REST_BYTES = 1024;
/** Inactivity timeout in both directions, ms, the library's own. Peers are pinged. */
const INACTIVITY_MS = 120_000;
/** How long a write may wait for the peer to read, ms. */
const STALL_MS = 30_000;

/** The used part of a socket. */
type Socket = Pick<Deno.TcpConn, "read" | "write" | "close">;

export interface TcpConnectionCollaborators {
  readonly clock: Clock;
  readonly log: Logger;
}

/** The used part of the library's data. */
interface Data extends Iterable<Uint8Array> {
  readonly byteLength: number;
}

/**
 * A TCP connection to or from another node, for the library. The library's own hides its socket and
 * writes the pieces of a message separately.
 */
export class TcpConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** The last round of writes; its writes may outlive it, see {@link released}. */
  #writing: Promise<void> | undefined;
  #isWriting = false;
  #lastWrite: Promise<unknown> | undefined;
  #breakWrite: (reason: Error) => void = () => {};
  #blocked = false;
  #paused = false;
  #reading = false;
  #closed = false;
  #activeAt: number;
  #writesSince = Infinity;

  /** @param init the library verifies the peer id in `remoteAddr`, if it has one. */
  constructor(
    socket: Socket,
    init: { readonly remoteAddr: Multiaddr; readonly direction: MessageStreamDirection },
    { clock, log }: TcpConnectionCollaborators,
  ) {
    super({ ...init, log });
    this.#socket = socket;
    this.#clock = clock;
    this.#activeAt = clock.now();
  }

  /** Starts reading; data is buffered until there is a listener. */
  start(): void {
    void this.#read();
  }

  /** Aborts the connection if it has been inactive, or a write has waited, for too long. */
  check(): void {
    const now = this.#clock.now();
    if (now - this.#activeAt >= INACTIVITY_MS) this.abort(new Error("the connection was inactive"));
    else if (now - this.#writesSince >= STALL_MS) this.abort(new Error("the peer does not read"));
  }

  /** Resolves when the socket is released, which a pending write may delay. */
  async released(): Promise<void> {
    await this.#lastWrite?.catch(() => {});
  }

  /** Accepts all data; returns whether more may be sent. */
  override sendData(data: Data): { sentBytes: number; canSendMore: boolean } {
    // A message and its length prefix are two pieces; they are sent in one packet.
    for (const piece of data) this.#queue.push(piece);
    this.#queued += data.byteLength;
    if (!this.#isWriting) this.#writing = this.#write();
    this.#blocked = this.#queued >= HIGH_WATER_BYTES;
    return { sentBytes: data.byteLength, canSendMore: !this.#blocked };
  }

  override async sendClose({ signal }: AbortOptions = {}): Promise<void> {
    const written = this.#writing ?? Promise.resolve();
    await (signal === undefined ? written : untilAborted(written, signal));
    this.#close();
  }

  override sendReset(): void {
    this.#close();
  }

  override sendPause(): void {
    this.#paused = true;
  }

  override sendResume(): void {
    this.#paused = false;
    void this.#read();
  }

  /** Does not reject. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    let rest = new Uint8Array(0);
    try {
      while (!this.#paused && !this.#closed) {
        if (rest.length < SMALL_REST_BYTES) rest = new Uint8Array(READ_BYTES);
        const read = await this.#socket.read(rest);
        if (read === null) {
          this.#close();
          return this.onTransportClosed();
        }
        this.#activeAt = this.#clock.now();
        this.onData(rest.subarray(0, read));
        rest = rest.subarray(read);
      }
    } catch (error) {
      if (!this.#closed) this.abort(errorOf(error));
    } finally {
      this.#reading = false;
    }
  }

  /** Does not reject. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    // Collects everything that is sent in the same turn into one write.
    await undefined;
    try {
      while (this.#queue.length > 0 && !this.#closed) {
        const bytes = joinBytes(this.#queue.splice(0));
        await this.#writeAll(bytes);
        this.#queued -= bytes.length;
        if (this.#blocked && this.#queued < HIGH_WATER_BYTES) {
          this.#blocked = false;
          this.safeDispatchEvent("drain");
        }
      }
    } catch (error) {
      if (!this.#closed) this.abort(errorOf(error));
    }
    this.#isWriting = false;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      this.#writesSince = this.#clock.now();
      sent += await this.#writeSome(sent === 0 ? bytes : bytes.subarray(sent));
    }
    this.#writesSince = Infinity;
    this.#activeAt = this.#clock.now();
  }

  #writeSome(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error("the connection is closed"));
      this.#breakWrite = reject;
      const write = this.#socket.write(bytes);
      this.#lastWrite = write;
      write.then(resolve, reject);
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#breakWrite(new Error("the connection is closed"));
    try {
      this.#socket.close();
    } catch {
      // The runtime has closed it already.
    }
  }
}
