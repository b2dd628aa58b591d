import { Buffer } from "node:buffer";

/** Read size; heads are far shorter. */
const READ_BYTES = 16 * 1024;

/** Reads a connection by lines and pieces. */
export class Reader {
  readonly #conn: Pick<Deno.Conn, "read">;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(conn: Pick<Deno.Conn, "read">) {
    this.#conn = conn;
  }

  /** Buffered bytes. */
  get waiting(): number {
    return this.#rest.length;
  }

  /**
   * The next line without its ending, decoded as Latin-1; undefined if the connection ends first.
   *
   * @throws {Error} if it is longer than `maxBytes`.
   */
  async line(maxBytes: number): Promise<string | undefined> {
    for (let scanned = 0;;) {
      const end = this.#rest.indexOf(0x0a, scanned);
      if (end > maxBytes || (end < 0 && this.#rest.length > maxBytes)) {
        throw new Error(`line of more than ${maxBytes} bytes`);
      }
      if (end >= 0) {
        const text = Buffer.from(this.#rest.subarray(0, end)).toString("latin1");
        this.#rest = this.#rest.subarray(end + 1);
        return text.endsWith("\r") ? text.slice(0, -1) : text;
      }
      scanned = this.#rest.length;
      if (!await this.#fill()) return undefined;
    }
  }

  /** The next bytes, at most `maxBytes`; undefined if the connection has ended. */
  async piece(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#rest.length === 0 && !await this.#fill()) return undefined;
    const taken = this.#rest.slice(0, maxBytes);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(this.#rest.length + READ_BYTES);
    buffer.set(this.#rest);
    const read = await this.#conn.read(buffer.subarray(this.#rest.length));
    if (read === null) return false;
    this.#rest = buffer.subarray(0, this.#rest.length + read);
    return true;
  }
}
