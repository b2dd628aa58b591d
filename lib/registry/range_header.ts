import type { DistributionPath } from "../oci/path.ts";
import { singleRange } from "../oci/range.ts";

/** One range needs 40 characters. */
const MAX_RANGE_LENGTH = 256;

/**
 * The range that applies to a request: only to a GET of a blob, and with `If-Range` (RFC 9110,
 * section 13.1.5) only if that names the content, whose digest never changes.
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
  return header.length > MAX_RANGE_LENGTH ? undefined : singleRange(header);
}
