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
/** RFC 9112, section 5: no blank before the colon, no line folding. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
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
    const field = FIELD.exec(line);
    if (field === null || !PLAIN.test(line)) throw new Error("malformed header field");
    const [, name = "", value = ""] = field;
    const key = name.toLowerCase();
    const before = fields.get(key);
    const trimmed = value.trimEnd();
    fields.set(key, before === undefined ? trimmed : `${before}, ${trimmed}`);
  }
  const connection = (fields.get("connection") ?? "").toLowerCase().split(",");
  const closes = connection.some((option) => option.trim() === "close");
  return {
    status: Number(status[2]),
    headers: { get: (name) => fields.get(name.toLowerCase()) ?? null },
    length: bodyLength(fields),
    keepAlive: status[1] === "1" && !closes,
  };
}

/** RFC 9112, section 6.3, without the framings that no peer uses. */
function bodyLength(fields: ReadonlyMap<string, string>): number | undefined {
  const length = fields.get("content-length");
  if (fields.has("transfer-encoding")) {
    if (length !== undefined) throw new Error("both a length and a transfer encoding");
    return undefined;
  }
  if (length === undefined) return undefined;
  if (!/^\d{1,15}$/.test(length)) throw new Error("malformed content length");
  return Number(length);
}
