import { messageOf } from "../../async/thrown.ts";
import { announcesClose, bodyLength, parseField } from "./fields.ts";

/** Validated request line and header fields. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** `Host`; empty if there is none. */
  readonly host: string;
  /** Header fields, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Whether the client wants to reuse the connection. */
  readonly keepAlive: boolean;
  /** Whether a body follows. Bodies are not read, so it ends the connection. */
  readonly hasBody: boolean;
}

/** A request that is rejected before the handler. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Longest head, bytes: a path of 8 KiB, and the credentials of some registries. */
export const MAX_HEAD_BYTES = 32 * 1024;
const MAX_FIELDS = 100;
/** RFC 9112, section 3: single spaces only. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP\/([0-9])\.([0-9])$/;
/**
 * Visible ASCII, spaces, tabs, and bytes beyond ASCII, as in cookies of other programs on the same
 * host (RFC 9110, section 5.5). Control characters, which other parsers may take for line ends, are
 * excluded.
 */
const PLAIN = /^[\t\x20-\x7e\x80-\xff]*$/;
/** RFC 9110, section 7.2: a name or an IP address, and a port. */
const HOST = /^(?:[A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
/**
 * The absolute form of a target (RFC 9112, section 3.2.2), for proxies, but servers must accept it
 * too.
 */
const ABSOLUTE = /^https?:\/\/[^/?#]+/i;

type FieldsPart = Omit<RequestHead, "method" | "target">;

/**
 * Parses request heads, without their final empty line (RFC 9112). Strict: anything that an
 * intermediary could interpret differently is rejected. One per connection: clients repeat the same
 * fields, which are then parsed once.
 */
export class HeadParser {
  #text = "";
  #version = "";
  #fields: FieldsPart | undefined;

  /** @throws {BadRequest} with the reason. */
  parse(text: string): RequestHead {
    const end = text.indexOf("\r\n");
    const first = end < 0 ? text : text.slice(0, end);
    const rest = end < 0 ? "" : text.slice(end);
    const line = REQUEST_LINE.exec(first);
    if (line === null) throw new BadRequest(400, "malformed request line");
    const [, method = "", target = "", major, minor = ""] = line;
    if (major !== "1") throw new BadRequest(505, "this is an HTTP/1.1 server");
    if (this.#fields === undefined || rest !== this.#text || minor !== this.#version) {
      this.#fields = parseFields(rest, minor !== "0");
      this.#text = rest;
      this.#version = minor;
    }
    const path = method === "OPTIONS" && target === "*" ? "/" : toPath(target);
    return { ...this.#fields, method, target: path };
  }
}

/** @param text each line begins with its line break. */
function parseFields(text: string, isCurrent: boolean): FieldsPart {
  const lines = text.split("\r\n").slice(1);
  if (lines.length > MAX_FIELDS) throw new BadRequest(431, `more than ${MAX_FIELDS} fields`);
  const fields = lines.map(fieldOf);
  const host = hostOf(fields, isCurrent);
  return {
    host,
    fields,
    keepAlive: isCurrent && !announcesClose(joined(fields, "connection") ?? ""),
    hasBody: announcesBody(fields),
  };
}

type Fields = RequestHead["fields"];

function fieldOf(line: string): Fields[number] {
  const field = PLAIN.test(line) ? parseField(line) : undefined;
  if (field === undefined) throw new BadRequest(400, "malformed header field");
  return field;
}

function valuesOf(fields: Fields, wanted: string): string[] {
  return fields.filter(([name]) => name === wanted).map(([, value]) => value);
}

/** Joins the values of fields with one name; undefined if there is none. */
function joined(fields: Fields, wanted: string): string | undefined {
  const values = valuesOf(fields, wanted);
  return values.length === 0 ? undefined : values.join(", ");
}

/** RFC 9112, section 3.2: exactly one, from HTTP/1.1 on. */
function hostOf(fields: Fields, needed: boolean): string {
  const [host, ...more] = valuesOf(fields, "host");
  const isWrong = more.length > 0 || (needed && host === undefined) || !isHost(host ?? "");
  if (isWrong) {
    throw new BadRequest(400, "want exactly one Host header");
  }
  return host ?? "";
}

/** The request's URL must be valid: some handlers parse it. */
function isHost(host: string): boolean {
  return HOST.test(host) && (host === "" || URL.canParse(`http://${host}/`));
}

function toPath(target: string): string {
  const path = target.startsWith("/") ? target : target.replace(ABSOLUTE, "") || "/";
  const full = path.startsWith("?") && ABSOLUTE.test(target) ? `/${path}` : path;
  if (!full.startsWith("/") || full.includes("#")) {
    throw new BadRequest(400, "malformed request target");
  }
  return full;
}

function announcesBody(fields: Fields): boolean {
  const coding = joined(fields, "transfer-encoding");
  try {
    const length = bodyLength(joined(fields, "content-length"), coding);
    return coding !== undefined || (length !== undefined && length > 0);
  } catch (error) {
    throw new BadRequest(400, messageOf(error));
  }
}
