// Common parts of requests and responses, at servers and clients (RFC 9112).

/** RFC 9112, section 5: no whitespace before the colon, no line folding. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
/** Fewer digits than a number holds exactly. */
const LENGTH = /^\d{1,15}$/;

/** Parses a header or trailer field, with its name in lower case; undefined if it is malformed. */
export function parseField(line: string): readonly [name: string, value: string] | undefined {
  const field = FIELD.exec(line);
  if (field === null) return undefined;
  const [, name = "", value = ""] = field;
  let end = value.length;
  // Not `trimEnd`: it strips some characters beyond ASCII.
  while (value[end - 1] === " " || value[end - 1] === "\t") end--;
  return [name.toLowerCase(), value.slice(0, end)];
}

/** Whether a `Connection` header announces the end of the connection. */
export function announcesClose(connection: string): boolean {
  return /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
}

/**
 * Length of a body in bytes (RFC 9112, section 6.3); undefined if it has a transfer encoding, or no
 * length.
 *
 * @param length `Content-Length`; several values joined by commas are malformed.
 * @param coding `Transfer-Encoding`.
 * @throws {Error} if an intermediary could interpret the framing differently (request smuggling).
 */
export function bodyLength(
  length: string | null | undefined,
  coding: string | null | undefined,
): number | undefined {
  if (length === null || length === undefined) return undefined;
  if (coding !== null && coding !== undefined) {
    throw new Error("both a length and a transfer encoding");
  }
  if (!LENGTH.test(length)) throw new Error("malformed content length");
  return Number(length);
}
