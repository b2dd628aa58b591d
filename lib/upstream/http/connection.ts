import type { ByteConnection } from "./byte_connection.ts";
import { type Framing, type Head, readFields, readHead } from "./head.ts";
import { type HeaderFields, headerLines } from "./header_fields.ts";
import { Reader } from "./reader.ts";

/** A request; the host header comes from the URL. */
export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderFields;
  readonly body?: Uint8Array | undefined;
}

/** Largest piece of a body, bytes. */
const PIECE_BYTES = 64 * 1024;
/** Upper bound of a chunk's size and extensions (RFC 9112, section 7.1), bytes. */
const MAX_CHUNK_LINE = 1024;
/** Set by this client alone. */
const RESERVED = ["host", "connection", "content-length", "transfer-encoding", "te", "upgrade"];

/** An HTTP/1.1 connection for consecutive exchanges (RFC 9112). */
export class Connection {
  readonly #conn: ByteConnection;
  readonly #reader: Reader;
  #framing: Framing = { type: "length", bytes: 0 };
  /** Unread bytes of the body, or of the chunk. */
  #left = 0;
  #inBody = false;
  #keepAlive = true;
  #closed = false;

  constructor(conn: ByteConnection) {
    this.#conn = conn;
    this.#reader = new Reader(conn);
  }

  /** Whether another request may be sent: the last body has ended, too. */
  get reusable(): boolean {
    return !this.#closed && !this.#inBody && this.#keepAlive && this.#reader.waiting === 0;
  }

  /**
   * Sends a request and reads the response's head. Its body must be read to the end before the next
   * exchange.
   *
   * @throws if the connection ends first, or the response is malformed.
   */
  async exchange(request: WireRequest): Promise<Head> {
    const message = bytesOf(request);
    for (let at = 0; at < message.length;) at += await this.#conn.write(message.subarray(at));
    const head = await readHead(this.#reader, request.method);
    const { framing } = head;
    this.#keepAlive = head.keepAlive;
    this.#framing = framing;
    this.#left = framing.type === "length" ? framing.bytes : 0;
    this.#inBody = framing.type !== "length" || framing.bytes > 0;
    return head;
  }

  /** The body's next bytes; undefined at its end. @throws if the connection ends earlier. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#inBody) return undefined;
    const { type } = this.#framing;
    if (type === "chunked" && this.#left === 0) this.#left = await this.#nextChunk();
    const isEnd = type !== "close" && this.#left === 0;
    const limit = type === "close" ? PIECE_BYTES : Math.min(this.#left, PIECE_BYTES);
    const piece = isEnd ? undefined : await this.#reader.piece(limit);
    if (piece === undefined) {
      if (!isEnd && type !== "close") throw new Error("the connection ended within a body");
      this.#inBody = false;
      return undefined;
    }
    this.#left -= type === "close" ? 0 : piece.length;
    if (type === "chunked" && this.#left === 0 && await this.#line() !== "") {
      throw new Error("malformed chunk");
    }
    return piece;
  }

  /** Closes the connection at once; pending reads reject. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  /** The size of the next chunk; 0 for the last, whose trailer is read as well. */
  async #nextChunk(): Promise<number> {
    const [, size] = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(await this.#line()) ?? [];
    if (size === undefined) throw new Error("malformed size of a chunk");
    const bytes = parseInt(size, 16);
    if (bytes === 0) await readFields(this.#reader);
    return bytes;
  }

  async #line(): Promise<string> {
    const line = await this.#reader.line(MAX_CHUNK_LINE);
    if (line === undefined) throw new Error("the connection ended within a body");
    return line;
  }
}

function bytesOf({ method, url, headers, body }: WireRequest): Uint8Array {
  const fields = headerLines(headers).filter(([name]) => !RESERVED.includes(name));
  if (!fields.some(([name]) => name === "user-agent")) fields.push(["user-agent", "eddy"]);
  if (body !== undefined) fields.push(["content-length", String(body.length)]);
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`];
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  const head = Uint8Array.from(`${lines.join("\r\n")}\r\n\r\n`, (c) => c.charCodeAt(0));
  if (body === undefined) return head;
  const message = new Uint8Array(head.length + body.length);
  message.set(head);
  message.set(body, head.length);
  return message;
}
