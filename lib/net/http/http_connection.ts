import type { Runtime } from "../../ports/runtime.ts";
import type { AdmittedConnection } from "../admission.ts";
import { cannotBeHead, CR, endOfHead, HEAD_END, LF, textOf } from "./head_bytes.ts";
import { type IncomingRequest, incomingRequest } from "./incoming_request.ts";
import { BadRequest, HeadParser, MAX_HEAD_BYTES, type RequestHead } from "./request_head.ts";
import type { UnreadAnswers, UnreadConnection } from "./unread_answers.ts";
import { writeResponse } from "./write_response.ts";

/** Handles a request. */
export type Respond = (request: Request) => Response | Promise<Response>;

/** The used part of a connection. */
export type Socket = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

export interface HttpConnectionOptions extends Pick<Runtime, "clock" | "log"> {
  readonly respond: Respond;
  readonly scheme: "http" | "https";
  /** Host in URLs of requests without `Host`, e.g. `127.0.0.1:5000`. */
  readonly defaultHost: string;
  /** Value of `Date`. */
  readonly date: () => string;
  /** Bounds the memory of responses that clients have not read yet. */
  readonly unread: Pick<UnreadAnswers, "hold">;
}

/** Deadline of a head, ms, from its first byte or the connection's start. */
export const HEAD_MS = 10_000;
/**
 * Idle timeout between requests, ms. Longer than that of the clients: other nodes, and containerd's
 * registry client (30 s).
 */
export const IDLE_MS = 90_000;
/**
 * How long a write may wait for the client to read, ms. containerd reads into the page cache, which
 * a busy disk stalls for a second or two; if its connection is cut nevertheless, it requests the
 * rest.
 */
export const STALL_MS = 30_000;
/**
 * Minimum progress of a write within that time, bytes; a client that reads a byte now and then
 * makes none.
 */
const PROGRESS_BYTES = 64 * 1024;
/**
 * How long, ms, the rest of a rejected request is discarded so that the client sees the response.
 */
const LINGER_MS = 2000;
const LINGER_BYTES = 256 * 1024;
const FIRST_BUFFER_BYTES = 4 * 1024;

/** What the connection waits for. */
type Phase = "head" | "idle" | "answer" | "send" | "linger";
const LIMITS: Readonly<Record<Phase, number>> = {
  head: HEAD_MS,
  idle: IDLE_MS,
  // Handlers have deadlines of their own.
  answer: Infinity,
  send: STALL_MS,
  linger: LINGER_MS,
};

/** Serves the requests of one connection, one after the other, without request bodies. */
export class HttpConnection implements AdmittedConnection, UnreadConnection {
  readonly #socket: Socket;
  readonly #options: HttpConnectionOptions;
  #phase: Phase = "head";
  #since: number;
  /** Allocated on the first read: a rejected connection needs none. */
  #buffer = new Uint8Array(0);
  #held = 0;
  readonly #parser = new HeadParser();
  #filling: Promise<void> | undefined;
  #ended = false;
  #writing: Promise<unknown> | undefined;
  #breakWrite: (error: Error) => void = () => {};
  #request: IncomingRequest | undefined;
  #body: ReadableStreamDefaultReader | undefined;
  #last = false;
  #closed = false;

  constructor(socket: Socket, options: HttpConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#since = options.clock.now();
  }

  /** {@inheritDoc AdmittedConnection.idleSince} */
  get idleSince(): number | undefined {
    return this.#phase === "answer" || this.#phase === "send" ? undefined : this.#since;
  }

  /** {@inheritDoc UnreadConnection.waitingSince} */
  get waitingSince(): number {
    return this.#since;
  }

  /**
   * Serves until either side closes the connection; does not reject. Resolves when the socket is
   * released: Deno up to 2.6 does not cancel a pending write, so that may take until the client
   * leaves.
   */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      if (error instanceof BadRequest && !this.#closed) await this.#refuse(error).catch(() => {});
      // Otherwise the client left, or the body failed, which its producer has logged.
    }
    this.close();
    await this.#writing?.catch(() => {});
  }

  /** Closes the connection if its present phase has exceeded its deadline. */
  check(): void {
    if (this.#options.clock.now() - this.#since >= LIMITS[this.#phase]) this.close();
  }

  /** Closes the connection after the present response, or at once if there is none. */
  finish(): void {
    this.#last = true;
    if (this.idleSince !== undefined) this.close();
  }

  /** {@inheritDoc AdmittedConnection.close} */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#request?.gone();
    const reason = new Error("the connection is closed");
    this.#breakWrite(reason);
    void this.#body?.cancel(reason).catch(() => {});
    try {
      this.#socket.close();
    } catch {
      // The runtime has closed it already.
    }
  }

  async #serve(): Promise<void> {
    while (!this.#closed) {
      const head = await this.#readHead();
      if (head === undefined) return;
      const keepAlive = await this.#answer(head);
      if (!keepAlive || this.#last) return head.hasBody ? await this.#linger() : undefined;
      this.#enter(this.#held > 0 ? "head" : "idle");
    }
  }

  /** Responds, and returns whether the client may send another request on this connection. */
  async #answer(head: RequestHead): Promise<boolean> {
    const { respond, log } = this.#options;
    this.#enter("answer");
    const incoming = this.#request = incomingRequest(head, this.#options);
    // Reads on to notice a client that leaves. Pipelined requests stay in the buffer.
    if (this.#held < this.#buffer.length) void this.#fill();
    let response: Response;
    try {
      response = await respond(incoming.request);
    } catch (error) {
      log.error("HTTP handler failed", { error });
      response = new Response(null, { status: 500 });
    }
    if (this.#closed) {
      await response.body?.cancel();
      return false;
    }
    // After `finish` the response announces the close: otherwise the client's next request would be
    // lost.
    const keepAlive = head.keepAlive && !head.hasBody && !this.#last;
    await this.#send(response, head.method, keepAlive);
    this.#request = undefined;
    return keepAlive;
  }

  async #send(response: Response, method: string, keepAlive: boolean): Promise<void> {
    const framing = { method, keepAlive, date: this.#options.date() };
    await writeResponse(response, framing, {
      write: (bytes) => this.#write(bytes),
      holds: (bytes) => this.#options.unread.hold(this, bytes),
      reads: (body) => this.#body = body,
    });
    this.#body = undefined;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#enter("send");
    let sent = 0;
    let progress = 0;
    while (sent < bytes.length) {
      sent += await this.#writeSome(sent === 0 ? bytes : bytes.subarray(sent));
      if (sent - progress < PROGRESS_BYTES) continue;
      progress = sent;
      this.#enter("send");
    }
    // The next wait is not for the client.
    this.#enter("answer");
  }

  #writeSome(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error("the connection is closed"));
      this.#breakWrite = reject;
      this.#writing = this.#socket.write(bytes);
      (this.#writing as Promise<number>).then(resolve, reject);
    });
  }

  /** Undefined at the end of the connection. */
  async #readHead(): Promise<RequestHead | undefined> {
    let scanned = 0;
    let checked = 0;
    while (true) {
      if (this.#held >= 2 && this.#buffer[0] === CR && this.#buffer[1] === LF) {
        // Some clients send an extra empty line after a request (RFC 9112, section 2.2).
        this.#drop(2);
        scanned = checked = 0;
      }
      const end = endOfHead(this.#buffer, this.#held, scanned);
      if (end !== undefined) {
        const text = textOf(this.#buffer, end - HEAD_END.length);
        this.#drop(end);
        return this.#parser.parse(text);
      }
      if (cannotBeHead(this.#buffer, checked, this.#held)) {
        throw new BadRequest(400, "not HTTP/1.1");
      }
      checked = this.#held;
      if (this.#ended) return undefined;
      scanned = Math.max(0, this.#held - HEAD_END.length + 1);
      if (this.#held === MAX_HEAD_BYTES) throw new BadRequest(431, "head is too long");
      await this.#fill();
    }
  }

  #drop(bytes: number): void {
    this.#buffer.copyWithin(0, bytes, this.#held);
    this.#held -= bytes;
  }

  /** Reads on; does not reject: a broken connection counts as ended. */
  #fill(): Promise<void> {
    return this.#filling ??= this.#readOn();
  }

  async #readOn(): Promise<void> {
    if (this.#held === this.#buffer.length) {
      const larger = new Uint8Array(
        Math.min(Math.max(2 * this.#held, FIRST_BUFFER_BYTES), MAX_HEAD_BYTES),
      );
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    const read = await this.#socket.read(this.#buffer.subarray(this.#held)).catch(() => null);
    this.#filling = undefined;
    if (read === null) {
      this.#ended = true;
      this.#request?.gone();
      return;
    }
    this.#held += read;
    if (this.#phase === "idle") this.#enter("head");
  }

  async #refuse({ status, message }: BadRequest): Promise<void> {
    const headers = { "content-type": "text/plain" };
    await this.#send(new Response(`${message}\n`, { status, headers }), "GET", false);
    await this.#linger();
  }

  /**
   * With unread data the system would reset the connection on close, and the client would not see
   * the response (RFC 9112, section 9.6).
   */
  async #linger(): Promise<void> {
    this.#enter("linger");
    await this.#socket.closeWrite();
    for (let thrownAway = 0; thrownAway < LINGER_BYTES && !this.#ended && !this.#closed;) {
      this.#held = 0;
      await this.#fill();
      thrownAway += this.#held;
    }
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#since = this.#options.clock.now();
  }
}
