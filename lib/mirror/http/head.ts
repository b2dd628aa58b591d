import { announcesClose, bodyLength, parseField } from "../../net/http/fields.ts";

/** Headers of an answer; names in any case. */
export interface HeaderFields {
  get(name: string): string | null;
}

/** Status line and headers of an answer, and how its body is framed. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderFields;
  /**
   * Bytes of the body if the method allows one; undefined if only its end tells, or if it is in
   * chunks: such a body is not read, and its connection not used again.
   */
  readonly length: number | undefined;
  /** Whether the connection can be used for another request. */
  readonly keepAlive: boolean;
}

/** The longest head that is accepted, bytes; peers send a few hundred. */
export const MAX_HEAD_BYTES = 16 * 1024;
const MAX_FIELDS = 100;
/** RFC 9112, section 4: the reason is ignored, and may be empty or missing. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d{2})(?: |$)/;
/** Visible characters, blanks and tabs: peers send no others, and they cannot end a line. */
const PLAIN = /^[\t\x20-\x7e]*$/;

/**
 * Parses the head of an answer, without the empty line that ends it (RFC 9112). Strict: an answer
 * whose framing could be understood in two ways is an error, not a guess.
 *
 * @throws {Error} says what is wrong with it.
 */
export function parseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = STATUS_LINE.exec(first);
  if (status === null || !PLAIN.test(first)) throw new Error("malformed status line");
  if (lines.length > MAX_FIELDS) throw new Error(`more than ${MAX_FIELDS} header fields`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const field = parseField(line);
    if (field === undefined || !PLAIN.test(line)) throw new Error("malformed header field");
    const [name, value] = field;
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return {
    status: Number(status[2]),
    headers: { get: (name) => fields.get(name.toLowerCase()) ?? null },
    length: bodyLength(fields.get("content-length"), fields.get("transfer-encoding")),
    keepAlive: status[1] === "1" && !announcesClose(fields.get("connection") ?? ""),
  };
}
