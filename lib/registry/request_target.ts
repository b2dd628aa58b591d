import { OciError } from "../oci/error.ts";

/**
 * The percent-decoded path of a request URL, taken as the client sent it: `..` and `//` are not
 * normalised, and the host, which may be malformed, is not parsed.
 *
 * @throws {OciError} NAME_INVALID (400) if it is not percent-encoded UTF-8.
 */
export function requestPath(url: string): string {
  const raw = rawPath(url);
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new OciError("NAME_INVALID", "path is not percent-encoded UTF-8", { status: 400, cause });
  }
}

/** Path and query of a request URL as they were sent. */
export function rawTarget(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start < 0 ? "/" : url.slice(start).replace(/#.*$/, "");
}

/** The error for a path that the registry does not have. */
export function noSuchEndpoint(url: string): OciError {
  const path = JSON.stringify(rawPath(url).slice(0, 160));
  return new OciError("UNSUPPORTED", `no such endpoint: ${path}`, { status: 404 });
}

/** The path of a request URL as it was sent. */
export function rawPath(url: string): string {
  const authority = url.indexOf("://") + 3;
  const start = url.indexOf("/", authority);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}
