import { Buffer } from "node:buffer";
import { WholeResponse } from "./whole_response.ts";

/** Destination of a response. */
export interface ResponseSink {
  /** Sends bytes; resolves when the system has accepted all of them. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Accounts for bytes in memory until all of them are sent. */
  holds(bytes: number): Disposable;
  /** Receives the body's reader, so that a pending read can be cancelled. */
  reads(body: ReadableStreamDefaultReader): void;
}

/** How to frame a response. */
export interface ResponseFraming {
  /** A response to HEAD has no body, whatever its length. */
  readonly method: string;
  readonly keepAlive: boolean;
  /** Value of `Date`. */
  readonly date: string;
}

/** Chunks up to this size are copied to be sent in one piece with the head, bytes. */
const SMALL_BYTES = 128 * 1024;
/**
 * Size of the buffer through which a body in memory is sent, bytes: Deno up to 2.6 keeps a pending
 * write's buffer until the client leaves, even after the connection is closed.
 */
const PIECE_BYTES = 64 * 1024;
/** Microtask turns until a body in memory can be read, with some to spare. */
const TURNS = 12;
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/**
 * Sends a response (RFC 9112). A body without an announced length is buffered first. A body that
 * fails or deviates from the announced length is never ended as if it were complete.
 *
 * @throws {Error} if the connection must be closed: it or the body failed.
 */
export async function writeResponse(
  response: Response,
  framing: ResponseFraming,
  sink: ResponseSink,
): Promise<void> {
  if (response instanceof WholeResponse) return await writeWhole(response, framing, sink);
  const { status, headers } = response;
  const hasBody = framing.method !== "HEAD" && status !== 204 && status !== 304;
  if (!hasBody || response.body === null) {
    await response.body?.cancel();
    const empty = hasBody && !headers.has("content-length");
    return await sink.write(joined(formatHead(response, framing, empty ? 0 : undefined)));
  }
  const announced = headers.get("content-length");
  // Pages and metrics, which are in memory anyway.
  const whole = announced === null ? new Uint8Array(await response.arrayBuffer()) : undefined;
  const head = formatHead(response, framing, whole?.length);
  if (whole !== undefined) return await sink.write(joined(head, whole));
  const reader = response.body.getReader();
  sink.reads(reader);
  try {
    await writeBody(head, reader, Number(announced), sink);
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

type Chunk = Uint8Array<ArrayBuffer>;
type Reading = Promise<ReadableStreamReadResult<Chunk>>;

/** Sends the head with the body's first bytes if they are available, else at once. */
async function writeBody(
  head: string,
  reader: ReadableStreamDefaultReader<Chunk>,
  length: number,
  sink: ResponseSink,
): Promise<void> {
  let left = length;
  const count = (bytes: Chunk) => {
    left -= bytes.length;
    if (left < 0) throw new Error(`body has more than ${length} bytes`);
    return bytes;
  };
  let reading = reader.read();
  const first = await available(reading);
  if (first !== undefined && first.length <= SMALL_BYTES) {
    await sink.write(joined(head, count(first)));
    reading = reader.read();
  } else {
    await sink.write(joined(head));
  }
  for (let next = await reading; !next.done; next = await reader.read()) {
    await sink.write(count(next.value));
  }
  if (left > 0) throw new Error(`body has ${left} bytes less than ${length}`);
}

/** The result of a read if it is available without waiting. */
async function available(reading: Reading): Promise<Chunk | undefined> {
  let result: Chunk | undefined;
  let settled = false;
  reading.then(({ value }) => {
    result = value;
    settled = true;
  }, () => settled = true);
  for (let turn = 0; turn < TURNS && !settled; turn++) await undefined;
  return result;
}

/** Concatenates both. Header values are byte strings, as `Headers` accepts. */
function joined(head: string, body?: Uint8Array): Chunk {
  const bytes = new Uint8Array(head.length + (body?.length ?? 0));
  Buffer.from(bytes.buffer).write(head, "latin1");
  if (body !== undefined) bytes.set(body, head.length);
  return bytes;
}

/** @throws {Error} if the body deviates from the announced length. */
async function writeWhole(
  { status, whole, fields }: WholeResponse,
  framing: ResponseFraming,
  sink: ResponseSink,
): Promise<void> {
  const body = typeof whole === "string" ? Buffer.from(whole) : whole ?? undefined;
  const length = body?.length ?? 0;
  const announced = fields["content-length"];
  const hasBody = framing.method !== "HEAD" && status !== 204 && status !== 304;
  let head = startOf(status, framing);
  for (const name of Object.keys(fields)) head += `${name}: ${fields[name]}\r\n`;
  if (!hasBody) return await sink.write(joined(`${head}\r\n`));
  if (announced === undefined) head += `content-length: ${length}\r\n`;
  else if (announced !== String(length)) throw new Error(`body has ${length} bytes`);
  if (length <= SMALL_BYTES) return await sink.write(joined(`${head}\r\n`, body));
  using _held = sink.holds(length);
  await sink.write(joined(`${head}\r\n`));
  const piece = new Uint8Array(PIECE_BYTES);
  for (let at = 0; body !== undefined && at < length; at += PIECE_BYTES) {
    const part = body.subarray(at, at + PIECE_BYTES);
    piece.set(part);
    await sink.write(piece.subarray(0, part.length));
  }
}

function startOf(status: number, { keepAlive, date }: ResponseFraming): string {
  const end = keepAlive ? "" : "connection: close\r\n";
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\ndate: ${date}\r\n${end}`;
}

function formatHead(
  { status, headers }: Response,
  framing: ResponseFraming,
  length?: number,
): string {
  let head = startOf(status, framing);
  headers.forEach((value, name) => {
    head += `${name}: ${value}\r\n`;
  });
  return length === undefined ? `${head}\r\n` : `${head}content-length: ${length}\r\n\r\n`;
}
