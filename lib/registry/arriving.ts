import { OCTET_STREAM } from "../oci/media_type.ts";
import { resolveRange } from "../oci/range.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import { type AdmissionCollaborators, admitPeer } from "./admission.ts";
import { type Answer, contentAnswer } from "./answer.ts";
import type { Call } from "./call.ts";
import { takeUploadSlot, type UploadSlots } from "./upload_slots.ts";

/** What {@link serveArriving} works with. */
export interface ArrivingCollaborators extends AdmissionCollaborators {
  /** Default: nothing that is still arriving is served. */
  readonly arrivals?: Arrivals | undefined;
  readonly uploads: UploadSlots;
}

/** Says that nobody has verified the body: what is wrong with it may be another node's fault. */
const ARRIVING_HEADER = "x-eddy-arriving";

/**
 * Answers another node with a blob that this node is just getting; undefined if it is not. Manifests
 * are small: those are served once they are whole and known to be one.
 *
 * @throws {OciError} 404 if the node may not have it, 416 for a range outside of it, 429 if as many
 * blobs as allowed are on their way to peers.
 */
export async function serveArriving(
  collaborators: ArrivingCollaborators,
  call: Call,
): Promise<Answer | undefined> {
  const { arrivals, uploads } = collaborators;
  const { request: { method, path, range: rangeHeader }, client: { signal } } = call;
  const { digest } = path.reference;
  if (arrivals === undefined || path.kind !== "blob" || digest === undefined) return undefined;
  const content = await arrivals.find(digest, { signal });
  if (content === undefined) return undefined;
  admitPeer(collaborators, call, digest, { arriving: true });
  const range = resolveRange(rangeHeader, content.size);
  const descriptor = { digest, size: content.size, mediaType: OCTET_STREAM };
  if (method === "HEAD") return mark(contentAnswer({ path, descriptor, range, body: null }));
  const release = takeUploadSlot(uploads);
  try {
    const body = await content.open(range);
    if (body !== undefined) return mark(contentAnswer({ path, descriptor, range, body, release }));
  } catch (error) {
    release();
    throw error;
  }
  release();
  return undefined;
}

function mark(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, [ARRIVING_HEADER]: "true" } };
}
