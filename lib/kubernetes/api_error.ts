import { messageOf } from "../async/thrown.ts";
/** What kept a call of the API server from being done. */
export type ApiErrorKind =
  /** No connection, no answer in time, or an answer that the server could not give (5xx). */
  | "unavailable"
  /** The server takes too many requests (429). */
  | "throttled"
  /** The token or certificate is not accepted (401). */
  | "unauthorized"
  /** The account lacks the right (403). */
  | "forbidden"
  /** There is no such object (404). */
  | "not-found"
  /** The object is not as the caller last saw it (409, 422). */
  | "conflict"
  /** Anything else. */
  | "other";

/** A call of the API server failed; the message says what was tried and what the server said. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly kind: ApiErrorKind;

  constructor(kind: ApiErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What the server said is cut off after so many characters. */
const MAX_REASON = 300;

/** The library drops what the server said for this one status. */
const UNAUTHORIZED = "the token or certificate is not accepted";

const KINDS: Readonly<Record<number, ApiErrorKind>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  // A JSON patch whose `test` does not hold (RFC 6902, section 4.6).
  422: "conflict",
  429: "throttled",
};

/**
 * Tells what went wrong in the words of a log line.
 *
 * @param action what was tried, e.g. `read node n1`.
 * @param server base URL of the API server; undefined: it is not known yet.
 */
export function toApiError(action: string, server: string | undefined, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const at = server === undefined ? "" : ` at ${server}`;
  const status = statusOf(error);
  if (status === undefined) {
    return new ApiError(
      "unavailable",
      `cannot ${action}: API server${at} cannot be used: ${shorten(reasonOf(error))}`,
    );
  }
  const kind = KINDS[status] ?? (status >= 500 ? "unavailable" : "other");
  const said = shorten(saidBy(error)) || (status === 401 ? UNAUTHORIZED : "no reason given");
  return new ApiError(kind, `cannot ${action}: API server${at} answered ${status}: ${said}`);
}

/** The library's exception has the status in `code`; codes of the system are words. */
function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" && code >= 100 && code < 600 ? code : undefined;
}

/** The `message` of the `Status` object that the API server answers with. */
function saidBy(error: unknown): string {
  const { body } = error as { body?: unknown };
  try {
    const status: unknown = typeof body === "string" ? JSON.parse(body) : body;
    const message = (status as { message?: unknown } | null)?.message;
    if (typeof message === "string") return message;
  } catch {
    // Proxies answer with pages of their own.
  }
  return typeof body === "string" ? body : "";
}

/** The library's HTTP client puts the whole URL before the reason. */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return message.replace(/^request to \S+ failed, reason: /, "");
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON - 1)}…` : line;
}
