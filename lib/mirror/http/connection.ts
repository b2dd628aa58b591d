import { formatHostPort } from "../../net/host_port.ts";
import type { Connect, Place, Wire } from "./connect.ts";
import { MAX_HEAD_BYTES, parseHead, type ResponseHead } from "./head.ts";

/** Informational answers (RFC 9110, section 15.2) that are skipped before the real one. */
const MAX_INFORMATIONAL = 4;
const END_OF_HEAD = "\r\n\r\n";
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** A request without a body. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD";
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Tells the owner of a connection what happens to it. */
export type WhenIdle = (connection: HttpConnection) => void;

/**
 * A connection for one exchange after the other (HTTP/1.1). Bodies are read straight from the
 * socket into buffers of the size that the reader asks for, and never past their end.
 */
export class HttpConnection {
  /** The other end has a trusted certificate. */
  readonly secure: boolean;
  readonly #conn: Deno.Conn;
  readonly #readBytes: number;
  readonly #host: string;
  readonly #whenIdle: WhenIdle;
  /** Bytes of the body that were read with its head. */
  #surplus = new Uint8Array(0);
  /**
   * A buffer of which a read filled so little that the bytes were copied: the next read uses it.
   */
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #left = 0;
  #keepAlive = false;
  #closed = false;

  private constructor(
    { conn, readBytes, secure = false }: Wire,
    host: string,
    whenIdle: WhenIdle,
  ) {
    this.secure = secure;
    this.#conn = conn;
    this.#readBytes = readBytes;
    this.#host = host;
    this.#whenIdle = whenIdle;
  }

  /**
   * Connects.
   *
   * @param whenIdle called after each body that was read to its end, if the connection stays open.
   * @throws if that fails, and when the signal aborts.
   */
  static async open(
    connect: Connect,
    place: Place,
    signal: AbortSignal,
    whenIdle: WhenIdle,
  ): Promise<HttpConnection> {
    const { address, port } = place;
    const wire = await connect(place, signal);
    return new HttpConnection(wire, formatHostPort(address, port), whenIdle);
  }

  /** Bytes of the body that have not been read. */
  get left(): number {
    return this.#left;
  }

  /** Whether it cannot be used any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends a request and reads the answer's head. The body has to be read to its end, or the
   * connection closed, before the next.
   *
   * @throws if the connection breaks or the answer is malformed, and when the signal aborts: the
   * connection is then closed.
   */
  async exchange(request: HttpRequest, signal: AbortSignal): Promise<ResponseHead> {
    const onAbort = () => this.close();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#send(request);
      const head = await this.#readHead();
      this.#frame(head, request.method);
      return head;
    } catch (error) {
      this.close();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * The next bytes of the body, at most so many; undefined at its end. The caller owns them.
   *
   * @throws if the connection ends or is closed before the body does.
   */
  async read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#left === 0) return undefined;
    if (this.#surplus.length > 0) return this.#took(this.#takeSurplus(maxBytes));
    const buffer = this.#buffer(Math.min(maxBytes, this.#left, this.#readBytes));
    const read = await this.#conn.read(buffer);
    if (read === null) {
      this.close();
      throw new Error(`the connection ended ${this.#left} bytes before the body's end`);
    }
    // A reader that keeps a few bytes must not keep a large buffer alive.
    if (2 * read >= buffer.length) return this.#took(buffer.subarray(0, read));
    this.#spare = buffer;
    return this.#took(buffer.slice(0, read));
  }

  /** The spare buffer, if it has about the size: each new one costs the garbage collector. */
  #buffer(bytes: number): Uint8Array<ArrayBuffer> {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare !== undefined && spare.length >= bytes && spare.length < 4 * bytes
      ? spare.subarray(0, bytes)
      : new Uint8Array(bytes);
  }

  /** Closes it at once; the peer sees that. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #send({ method, path, headers }: HttpRequest): Promise<void> {
    let text = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`;
    const message = encoder.encode(text + "\r\n");
    for (let at = 0; at < message.length;) at += await this.#conn.write(message.subarray(at));
  }

  async #readHead(): Promise<ResponseHead> {
    const buffer = new Uint8Array(MAX_HEAD_BYTES);
    let filled = 0;
    let informational = 0;
    while (true) {
      const text = decoder.decode(buffer.subarray(0, filled));
      const end = text.indexOf(END_OF_HEAD);
      if (end >= 0) {
        const head = parseHead(text.slice(0, end));
        const next = end + END_OF_HEAD.length;
        if (head.status >= 200) {
          this.#surplus = buffer.subarray(next, filled);
          return head;
        }
        if (++informational > MAX_INFORMATIONAL) throw new Error("too many informational answers");
        buffer.copyWithin(0, next, filled);
        filled -= next;
        continue;
      }
      if (filled === buffer.length) throw new Error(`head of more than ${filled} bytes`);
      const read = await this.#conn.read(buffer.subarray(filled));
      if (read === null) throw new Error("the connection ended before an answer");
      filled += read;
    }
  }

  /** RFC 9112, section 6.3: no body after HEAD and with 204 and 304, whatever the headers say. */
  #frame({ status, length, keepAlive }: ResponseHead, method: string): void {
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    this.#left = bodiless ? 0 : length ?? 0;
    // Bytes after the body are not expected; without a length its end is unknown.
    const clean = this.#surplus.length <= this.#left && (bodiless || length !== undefined);
    this.#keepAlive = keepAlive && clean;
    this.#surplus = this.#surplus.subarray(0, this.#left);
    if (this.#left === 0) this.#ended();
  }

  #takeSurplus(maxBytes: number): Uint8Array<ArrayBuffer> {
    const taken = this.#surplus.slice(0, maxBytes);
    this.#surplus = this.#surplus.subarray(taken.length);
    return taken;
  }

  #took(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#left -= bytes.length;
    if (this.#left === 0) this.#ended();
    return bytes;
  }

  #ended(): void {
    if (this.#keepAlive && !this.#closed) this.#whenIdle(this);
    else this.close();
  }
}
