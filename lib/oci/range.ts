import parseRange from "range-parser";
import { OciError } from "./error.ts";

/** A resolved byte range, both ends included (RFC 9110, section 14). */
export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
}

/**
 * Resolves a `Range` header against content of `size` bytes (RFC 9110, section 14.2).
 *
 * @returns undefined without a header.
 * @throws {OciError} 400 if it is malformed or of another unit, 416 if it cannot be satisfied or
 * has several ranges, which registries need not serve. The detail of a 416 has the `size`, for its
 * `Content-Range` header.
 */
export function resolveRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined;
  const suffix = /^bytes=-(\d+)$/i.exec(header);
  // The parser rejects a suffix longer than the content; by the RFC it means the whole content.
  if (suffix !== null && size > 0 && Number(suffix[1]) >= size) return { start: 0, end: size - 1 };
  const ranges = parseRange(size, header);
  if (ranges === -2 || (ranges !== -1 && ranges.type.toLowerCase() !== "bytes")) {
    throw malformed(header);
  }
  const [range] = ranges === -1 ? [] : ranges;
  if (ranges === -1 || range === undefined) {
    throw notSatisfiable(`range ${quote(header)} is outside of ${size} bytes`, size);
  }
  if (ranges.length > 1) {
    throw notSatisfiable(
      `range ${quote(header)} asks for ${ranges.length} ranges, one is served`,
      size,
    );
  }
  return { start: range.start, end: range.end };
}

/** Formats the `Content-Range` header of a 206 response. */
export function formatContentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end}/${size}`;
}

/** Parses a `Content-Range` header `bytes START-END/SIZE`; undefined for anything else. */
export function parseContentRange(header: string): (ByteRange & { size: number }) | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header.trim());
  if (match === null) return undefined;
  const [start, end, size] = match.slice(1).map(Number) as [number, number, number];
  return start <= end && end < size ? { start, end, size } : undefined;
}

function malformed(header: string): OciError {
  return new OciError(
    "SIZE_INVALID",
    `range ${quote(header)} is malformed, want bytes=START-END`,
    { status: 400 },
  );
}

function notSatisfiable(message: string, size: number): OciError {
  return new OciError("SIZE_INVALID", message, { status: 416, detail: { size } });
}

function quote(header: string): string {
  return JSON.stringify(header.slice(0, 100));
}
