import { Buffer } from "node:buffer";
import { announcesClose, bodyLength, parseField } from "../../net/http/fields.ts";
import { MisconfiguredError } from "../misconfigured_error.ts";
import type { Reader } from "./reader.ts";

/** How a response's body is delimited (RFC 9112, section 6.3). */
export type Framing =
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" }
  /** The body ends with the connection. */
  | { readonly type: "close" };

/** Status and headers of a response. */
export interface Head {
  readonly status: number;
  readonly headers: Headers;
  readonly framing: Framing;
  /** Whether another request may follow. */
  readonly keepAlive: boolean;
}

/** Limits that HTTP clients commonly use; servers on the internet send less. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_FIELDS = 256;
/** Informational responses (RFC 9110, section 15.2) before the final one. */
const MAX_INFORMATIONAL = 4;
const PROTOCOL = "HTTP/";
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d{2})(?: |$)/;

/**
 * Reads the head of the response to a request.
 *
 * @throws {MisconfiguredError} if it is not HTTP.
 * @throws {Error} if there is none, or it is malformed or too long.
 */
export async function readHead(reader: Reader, method: string): Promise<Head> {
  for (let count = 0; count <= MAX_INFORMATIONAL; count++) {
    const first = await reader.line(MAX_HEAD_BYTES);
    if (first === undefined) {
      // An alert of TLS has no line; the beginning of an answer may come of a server that stops.
      const rest = Buffer.from(await reader.piece(PROTOCOL.length) ?? []).toString("latin1");
      if (!PROTOCOL.startsWith(rest)) throw notHttp();
      throw new Error("the connection ended before an answer");
    }
    const [, minor, code] = STATUS_LINE.exec(first) ?? [];
    if (code === undefined) throw notHttp();
    const headers = await readFields(reader);
    const status = Number(code);
    if (status < 200) continue;
    const framing = framingOf(method, status, headers);
    const closes = announcesClose(headers.get("connection") ?? "");
    const keepAlive = minor === "1" && !closes && framing.type !== "close";
    return { status, headers, framing, keepAlive };
  }
  throw new Error(`more than ${MAX_INFORMATIONAL} informational answers`);
}

function notHttp(): MisconfiguredError {
  return new MisconfiguredError(
    "the server does not answer in HTTP",
    "correct scheme and port of the server's URL in its hosts.toml",
  );
}

/** Reads header or trailer fields and the empty line after them. */
export async function readFields(reader: Reader): Promise<Headers> {
  const headers = new Headers();
  let left = MAX_HEAD_BYTES;
  for (let count = 0; count <= MAX_FIELDS; count++) {
    const line = await reader.line(left);
    if (line === undefined) throw new Error("the connection ended within a head");
    if (line === "") return headers;
    left -= line.length;
    const field = parseField(line);
    if (field === undefined) throw new Error("malformed header field");
    headers.append(...field);
  }
  throw new Error(`more than ${MAX_FIELDS} header fields`);
}

function framingOf(method: string, status: number, headers: Headers): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return { type: "length", bytes: 0 };
  const coding = headers.get("transfer-encoding");
  const bytes = bodyLength(headers.get("content-length"), coding);
  if (coding !== null) {
    if (coding.toLowerCase() !== "chunked") throw new Error(`transfer encoding ${coding}`);
    return { type: "chunked" };
  }
  return bytes === undefined ? { type: "close" } : { type: "length", bytes };
}
