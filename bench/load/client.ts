/**
 * A client that costs as little as possible, so that what is measured is the server: plain sockets,
 * bodies read into one buffer and forgotten. Takes a {@link LoadPlan} as JSON in its only argument
 * and prints a {@link LoadResult} as JSON. Runs as a process of its own, on any host of the lab.
 */
import type { LoadJob, LoadPlan, LoadResult } from "./plan.ts";

const READ_BYTES = 1024 * 1024;
const HEAD_LIMIT = 16 * 1024;

const plan = JSON.parse(Deno.args[0] ?? "") as LoadPlan;
const latencies: number[] = [];
const result = { bytes: 0, requests: 0, errors: 0 };
let taken = 0;
const begun = performance.now();
const until = begun + (plan.durationMs ?? Infinity);
await Promise.all(Array.from({ length: plan.connections }, () => work()));
const wallMs = performance.now() - begun;
latencies.sort((a, b) => a - b);
const report: LoadResult = {
  ...result,
  wallMs,
  p50Ms: quantile(0.5),
  p99Ms: quantile(0.99),
};
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));

/** The next job; those of a plan with a duration are taken again and again. */
function next(): LoadJob | undefined {
  if (performance.now() >= until) return undefined;
  const index = taken++;
  if (plan.durationMs === undefined && index >= plan.jobs.length) return undefined;
  return plan.jobs[index % plan.jobs.length];
}

async function work(): Promise<void> {
  let connection: Connection | undefined;
  for (let job = next(); job !== undefined; job = next()) {
    const started = performance.now();
    try {
      connection ??= await Connection.open(plan.host, plan.port);
      const { status, bytes } = await connection.request(job);
      result.bytes += bytes;
      if (status !== plan.status) result.errors++;
    } catch {
      result.errors++;
      connection?.close();
      connection = undefined;
    }
    result.requests++;
    latencies.push(performance.now() - started);
  }
  connection?.close();
}

function quantile(q: number): number {
  return latencies[Math.min(Math.floor(latencies.length * q), latencies.length - 1)] ?? NaN;
}

/** One kept connection. */
class Connection {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = new Uint8Array(plan.readBytes ?? READ_BYTES);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  static async open(hostname: string, port: number): Promise<Connection> {
    return new Connection(await Deno.connect({ hostname, port }));
  }

  close(): void {
    this.#conn.close();
  }

  async request({ path, range }: LoadJob): Promise<{ status: number; bytes: number }> {
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
      text += String.fromCharCode(...this.#buffer.subarray(0, Math.min(read, HEAD_LIMIT)));
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
