import { messageOf } from "../async/thrown.ts";
/** Why a call to the API server failed. */
export type ApiErrorKind =
  /** No connection, no answer in time, or a server error (5xx). */
  | "unavailable"
  /** Rate-limited (429). */
  | "throttled"
  /** The token or certificate is rejected (401). */
  | "unauthorized"
  /** The account lacks permission (403). */
  | "forbidden"
  /** There is no such object (404). */
  | "not-found"
  /** The object has changed since the caller read it (409, 422). */
  | "conflict"
  | "other";

/** A call to the API server failed; the message has the action and the server's reason. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly kind: ApiErrorKind;

  constructor(kind: ApiErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Maximum length of the server's reason, characters. */
const MAX_REASON = 300;

/** The library drops the server's reason for this one status. */
const UNAUTHORIZED = "the token or certificate is not accepted";

const KINDS: Readonly<Record<number, ApiErrorKind>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  // A JSON patch whose `test` fails (RFC 6902, section 4.6).
  422: "conflict",
  429: "throttled",
};

/**
 * Converts any error into an ApiError with a message for the log.
 *
 * @param action the failed action, e.g. `read node n1`.
 * @param server base URL of the API server; undefined if not known yet.
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
  const said = shorten(reasonIn(error)) || (status === 401 ? UNAUTHORIZED : "no reason given");
  return new ApiError(kind, `cannot ${action}: API server${at} answered ${status}: ${said}`);
}

/** The library's exception has the status in `code`; for system errors `code` is a string. */
function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" && code >= 100 && code < 600 ? code : undefined;
}

/** The `message` of the API server's `Status` object. */
function reasonIn(error: unknown): string {
  const { body } = error as { body?: unknown };
  try {
    const status: unknown = typeof body === "string" ? JSON.parse(body) : body;
    const message = (status as { message?: unknown } | null)?.message;
    if (typeof message === "string") return message;
  } catch {
    // Not JSON: proxies answer with pages of their own.
  }
  return typeof body === "string" ? body : "";
}

/** The library's HTTP client prefixes the reason with the whole URL. */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return message.replace(/^request to \S+ failed, reason: /, "");
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON - 1)}…` : line;
}
