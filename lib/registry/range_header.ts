import { OciError } from "../oci/error.ts";
import type { DistributionPath } from "../oci/path.ts";
import { resolveRange } from "../oci/range.ts";

/** One range needs 40 characters; the parser's work grows with the length. */
const MAX_RANGE_LENGTH = 256;

/**
 * The `Range` header that applies to a request: only to a GET of a blob, and with `If-Range` (RFC
 * 9110, section 13.1.5) only if that names the content, whose digest never changes.
 *
 * @throws {OciError} 400 if it is malformed: that does not depend on the content's size.
 */
export function applicableRange(
  method: string,
  path: DistributionPath,
  headers: Headers,
): string | undefined {
  const header = headers.get("range");
  if (header === null || method !== "GET" || path.kind !== "blob") return undefined;
  const validator = headers.get("if-range");
  if (validator !== null && validator !== `"${path.reference.digest}"`) return undefined;
  if (header.length > MAX_RANGE_LENGTH) {
    throw new OciError("SIZE_INVALID", "range is too long", { status: 400 });
  }
  requireWellFormed(header);
  return header;
}

function requireWellFormed(header: string): void {
  try {
    resolveRange(header, Number.MAX_SAFE_INTEGER);
  } catch (error) {
    if (!(error instanceof OciError) || error.status !== 416) throw error;
  }
}
