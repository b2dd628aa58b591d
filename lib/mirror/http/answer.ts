import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { OCTET_STREAM } from "../../oci/media_type.ts";
import { ANSWER_HEADERS, isYes } from "../../oci/peer_protocol.ts";
import type { HeaderFields } from "./head.ts";
import type { Suspicion } from "./sender.ts";
import { parseContentRange, resolveRange } from "../../oci/range.ts";

/** A request to a peer, which its answer must match. */
export interface Wanted {
  /** Path and query. */
  readonly path: string;
  readonly method: "GET" | "HEAD";
  /** Digest of the content; undefined for a tag, whose digest the peer then has to name. */
  readonly digest: Digest | undefined;
  /** `Range` header, as it is sent. */
  readonly range?: string | undefined;
  /** The content's size, where it is known already. */
  readonly size?: number | undefined;
  /** Content larger than this is refused. */
  readonly maxBytes?: number | undefined;
  /** How long the peer may take to answer before it counts as silent, ms; default as for pulls. */
  readonly answerMs?: number;
  /**
   * A peer that is busy, or is sending this content already, is skipped. After a short wait the
   * latter is asked, the former is not. False where a client has a part of the content already.
   */
  readonly yielding?: boolean;
  /** Content that the peer says is private is refused. */
  readonly openOnly?: boolean;
  /**
   * Where peers can prove that they belong to the cluster: content from this many bytes on comes
   * from other peers only if none of the cluster has it.
   */
  readonly knownFrom?: number | undefined;
  /**
   * Content from this many bytes on is streamed before it is verified: it comes from suspect peers
   * only if no other has it.
   */
  readonly largeFrom?: number | undefined;
  /** Suspicion that is accepted there. Default: none. */
  readonly suspicion?: Suspicion;
  /** Such peers are not asked even if no other has it. */
  readonly choosy?: boolean;
  /** Tells the peer that its content was wrong, so that it reads its copy again. */
  readonly isDoubted?: boolean;
}

/** A part of some content: from `start` up to, not including, `end`. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/** Too Many Requests (RFC 6585, section 4), Service Unavailable (RFC 9110, section 15.6.4). */
const BUSY: ReadonlySet<number> = new Set([429, 503]);

/** The verdict on an answer. */
export type Verdict =
  | { readonly type: "offer"; readonly descriptor: Descriptor; readonly part: Part }
  | { readonly type: "refused"; readonly why: string }
  /**
   * The peer has it, but is suspect or has not proved that it belongs to the cluster: it is used if
   * no other has it.
   */
  | { readonly type: "stranger"; readonly why: string }
  /** The peer has content of another size than the transfer, which may be the right one. */
  | { readonly type: "resized"; readonly why: string }
  /** The peer is overloaded. */
  | { readonly type: "busy"; readonly why: string }
  /** The range is outside of the content, which has this many bytes. */
  | { readonly type: "unsatisfiable"; readonly size: number };

/**
 * Judges status and headers of a peer's answer (distribution specification, "Pull"; RFC 9110,
 * sections 14 and 15.3.7). Everything that is not exactly what was asked for is a refusal:
 * redirects, encodings, a missing length, another part, another digest.
 */
export function judgeAnswer(status: number, headers: HeaderFields, wanted: Wanted): Verdict {
  if (status === 416 && wanted.range !== undefined) return judgeUnsatisfiable(headers, wanted);
  if (BUSY.has(status)) return { type: "busy", why: `status ${status}` };
  const expected = wanted.range === undefined ? 200 : 206;
  if (status !== expected) return refused(`status ${status}, want ${expected}`);
  if (wanted.openOnly && isPrivate(headers)) return refused("it is private there");
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    return refused(`content is encoded as ${encoding.slice(0, 40)}`);
  }
  const length = parseLength(headers.get("content-length"));
  if (length === undefined) return refused("no content length");
  const place = locate(headers, wanted, length);
  if (typeof place === "string") return refused(place);
  if (wanted.size !== undefined && place.size !== wanted.size) {
    return resized(place.size, wanted.size);
  }
  if (wanted.maxBytes !== undefined && place.size > wanted.maxBytes) {
    return refused(`size ${place.size}, at most ${wanted.maxBytes} are taken`);
  }
  const named = headers.get("docker-content-digest");
  const digest = wanted.digest ?? named;
  if (digest === null || !isDigest(digest)) return refused("no digest that can be verified");
  if (named !== null && named !== digest) return refused("another digest is offered");
  return {
    type: "offer",
    descriptor: { digest, size: place.size, mediaType: mediaType(headers.get("content-type")) },
    part: { start: place.start, end: place.end },
  };
}

/** The part of the content that the body holds, or what is wrong with it. */
function locate(
  headers: HeaderFields,
  { range }: Wanted,
  length: number,
): (Part & { size: number }) | string {
  if (range === undefined) return { start: 0, end: length, size: length };
  const stated = parseContentRange(headers.get("content-range") ?? "");
  if (stated === undefined) return "no usable content range";
  const asked = satisfiable(range, stated.size);
  if (asked?.start !== stated.start || asked.end !== stated.end) return "another range is offered";
  if (length !== stated.end - stated.start + 1) return "content length and range disagree";
  return { start: stated.start, end: stated.end + 1, size: stated.size };
}

/** RFC 9110, section 15.5.17: a 416 states the size as `bytes * /SIZE`, without the space. */
function judgeUnsatisfiable(headers: HeaderFields, { range, size: known }: Wanted): Verdict {
  const stated = /^bytes \*\/(\d{1,15})$/.exec(headers.get("content-range") ?? "")?.[1];
  if (stated === undefined) return refused("status 416 without a size");
  const size = Number(stated);
  if (known !== undefined && known !== size) return resized(size, known);
  if (known !== undefined || range === undefined || satisfiable(range, size) !== undefined) {
    return refused(`status 416 for a range within ${known ?? size} bytes`);
  }
  return { type: "unsatisfiable", size };
}

function satisfiable(range: string, size: number) {
  try {
    return resolveRange(range, size);
  } catch {
    return undefined;
  }
}

function parseLength(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** Type and subtype by RFC 6838, section 4.2; parameters are dropped. */
function mediaType(header: string | null): string {
  const match = /^\s*([A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126})\s*(?:;|$)/
    .exec(header ?? "");
  return match?.[1] ?? OCTET_STREAM;
}

/** Tells whether a peer says that its content is private. */
export function isPrivate(headers: HeaderFields): boolean {
  return isYes(headers, ANSWER_HEADERS.private);
}

function resized(size: number, wanted: number): Verdict {
  return { type: "resized", why: `size ${size}, want ${wanted}` };
}

function refused(why: string): Verdict {
  return { type: "refused", why };
}
