import type { Descriptor } from "../oci/descriptor.ts";
import { OciError } from "../oci/error.ts";
import { OCTET_STREAM } from "../oci/media_type.ts";
import type { DistributionPath } from "../oci/path.ts";
import { type ByteRange, formatContentRange } from "../oci/range.ts";

/** Bytes of content as they come from a store or a peer. */
export type Content = ReadableStream<Uint8Array<ArrayBuffer>>;

/** The answer to a request, before it becomes a Response. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Null for HEAD. A stream holds exactly as many bytes as `content-length` says. */
  readonly body: Content | Uint8Array<ArrayBuffer> | string | null;
  /** Called once the body has ended, broken or been cancelled. */
  readonly release?: (() => void) | undefined;
  /** Called before that if the body could not be read to its end. */
  readonly failed?: (() => void) | undefined;
}

/** Content that was found, here or at a peer. */
export interface FoundContent {
  readonly path: DistributionPath;
  readonly descriptor: Descriptor;
  /** The part that `body` holds; undefined for all of it. */
  readonly range: ByteRange | undefined;
  readonly body: Content | Uint8Array<ArrayBuffer> | null;
  readonly release?: (() => void) | undefined;
  readonly failed?: (() => void) | undefined;
}

/**
 * A media type without parameters (RFC 6838, section 4.2). It comes from peers, so it is checked.
 */
const MEDIA_TYPE = /^[a-zA-Z0-9][\w!#$&^.+-]{0,126}\/[a-zA-Z0-9][\w!#$&^.+-]{0,126}$/;

/**
 * The answer that carries content, with the headers of the distribution specification's pull
 * section; 206 if it is a part of the content.
 */
export function contentAnswer(found: FoundContent): Answer {
  const { path, descriptor, range, body, release, failed } = found;
  const headers: Record<string, string> = {
    "content-type": MEDIA_TYPE.test(descriptor.mediaType) ? descriptor.mediaType : OCTET_STREAM,
    "content-length": String(range ? range.end - range.start + 1 : descriptor.size),
    "docker-content-digest": descriptor.digest,
    "oci-namespace": path.reference.registry,
    // A proxy that compressed the body would change its length.
    "cache-control": "no-transform",
  };
  if (path.kind === "blob") headers["accept-ranges"] = "bytes";
  if (range) headers["content-range"] = formatContentRange(range, descriptor.size);
  return {
    status: range ? 206 : 200,
    headers,
    body,
    release,
    failed,
  };
}

/**
 * The answer to a request that failed: the error's status and the OCI error body, with the detail or
 * without.
 */
export function errorAnswer(
  error: OciError,
  headers: Readonly<Record<string, string>> = {},
  withDetail = true,
): Answer {
  const size = error.status === 416 ? sizeOf(error.detail) : undefined;
  return {
    status: error.status,
    headers: {
      "content-type": "application/json",
      // RFC 9110, section 15.5.17.
      ...(size === undefined ? {} : { "content-range": `bytes */${size}` }),
      ...headers,
    },
    body: `${JSON.stringify(error.toBody(withDetail))}\n`,
  };
}

/** The error that says that content was not found, with a code that fits the endpoint. */
export function unknownContent(path: DistributionPath, detail: Record<string, unknown>): OciError {
  const { digest, tag } = path.reference;
  return new OciError(
    path.kind === "blob" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN",
    `${path.kind} ${digest ?? tag} is not available from this mirror`,
    { status: 404, detail },
  );
}

function sizeOf(detail: unknown): number | undefined {
  const size = (detail as { size?: unknown } | null | undefined)?.size;
  return typeof size === "number" && Number.isSafeInteger(size) ? size : undefined;
}
