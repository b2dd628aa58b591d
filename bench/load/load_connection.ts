import type { LoadJob, LoadPlan } from "./plan.ts";

const READ_BYTES = 1024 * 1024;
const HEAD_LIMIT = 16 * 1024;
/** One character per byte; the exact mapping is irrelevant. */
const LATIN = new TextDecoder("latin1");

/** One keep-alive connection. */
export class LoadConnection {
  readonly #conn: Deno.TcpConn;
  readonly #plan: LoadPlan;
  readonly #buffer: Uint8Array;

  private constructor(conn: Deno.TcpConn, plan: LoadPlan) {
    this.#conn = conn;
    this.#plan = plan;
    this.#buffer = new Uint8Array(plan.readBytes ?? READ_BYTES);
    conn.setNoDelay(true);
  }

  static async open(plan: LoadPlan): Promise<LoadConnection> {
    const { host: hostname, port } = plan;
    return new LoadConnection(await Deno.connect({ hostname, port }), plan);
  }

  close(): void {
    this.#conn.close();
  }

  async request({ path, range }: LoadJob): Promise<{ status: number; bytes: number }> {
    const plan = this.#plan;
    const lines = [`GET ${path} HTTP/1.1`, `host: ${plan.host}:${plan.port}`, "accept: */*"];
    if (range !== undefined) lines.push(`range: ${range}`);
    const message = new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
    for (let at = 0; at < message.length;) at += await this.#conn.write(message.subarray(at));
    const { status, length, surplus } = await this.#head();
    let left = length - surplus;
    while (left > 0) {
      const read = await this.#conn.read(this.#buffer);
      if (read === null) throw new Error("the connection ended early");
      left -= read;
      if (plan.pauseMs !== undefined) await new Promise((done) => setTimeout(done, plan.pauseMs));
    }
    if (left < 0) throw new Error("the body is too long");
    return { status, bytes: length };
  }

  async #head(): Promise<{ status: number; length: number; surplus: number }> {
    let text = "";
    while (text.length < HEAD_LIMIT) {
      const read = await this.#conn.read(this.#buffer);
      if (read === null) throw new Error("the connection ended before an answer");
      text += LATIN.decode(this.#buffer.subarray(0, Math.min(read, HEAD_LIMIT)));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
      if (length === undefined) throw new Error("no content length");
      const before = text.length - Math.min(read, HEAD_LIMIT);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
      return { status, length: Number(length), surplus: read - (end + 4 - before) };
    }
    throw new Error("the head is too long");
  }
}
