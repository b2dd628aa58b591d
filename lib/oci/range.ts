import { OciError } from "./error.ts";

/** A resolved byte range, both ends included (RFC 9110, section 14). */
export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
}

/**
 * Parses a `Range` header with one byte range: `bytes=START-END`, `bytes=START-` or
 * `bytes=-LENGTH`.
 *
 * @returns undefined for a header that servers ignore, sending the whole content: another unit, a
 * malformed range, several ranges (RFC 9110, section 14.2). Empty list elements do not count
 * (section 5.6.1.2).
 */
export function singleRange(header: string | undefined): string | undefined {
  const list = /^bytes=(.*)$/is.exec(header ?? "")?.[1] ?? "";
  const [only = "", another] = list.split(",").map((part) => part.trim()).filter((part) => part);
  const [, start = "", end = ""] = /^(\d*)-(\d*)$/.exec(only) ?? [];
  if (another !== undefined || start + end === "") return undefined;
  if (start !== "" && end !== "" && Number(end) < Number(start)) return undefined;
  return `bytes=${start}-${end}`;
}

/**
 * Resolves a range of {@link singleRange} against content of `size` bytes (RFC 9110, section
 * 14.1.2).
 *
 * @returns undefined without a range.
 * @throws {OciError} 416 if the range is outside of the content. The detail has the `size`, for the
 * `Content-Range` header.
 */
export function resolveRange(range: string | undefined, size: number): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined || last === undefined) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start <= end) return { start, end };
  throw new OciError("SIZE_INVALID", `range ${quote(range ?? "")} is outside of ${size} bytes`, {
    status: 416,
    detail: { size },
  });
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

function quote(header: string): string {
  return JSON.stringify(header.slice(0, 100));
}
