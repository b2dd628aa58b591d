import type { Digest } from "../oci/digest.ts";
import { OCTET_STREAM } from "../oci/media_type.ts";
import { ANSWER_HEADERS, YES } from "../oci/peer_protocol.ts";
import { resolveRange } from "../oci/range.ts";
import { referenceKey } from "../oci/reference.ts";
import type { Clock } from "../ports/clock.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Elections } from "../ports/rollout.ts";
import { type AdmissionCollaborators, admitOutsider } from "./admission.ts";
import { type Answer, contentAnswer } from "./answer.ts";
import type { Call } from "./call.ts";
import { takeUploadSlot, type UploadSlots } from "./upload_slots.ts";

/** What {@link serveArriving} works with. */
export interface ArrivingCollaborators extends AdmissionCollaborators {
  /** Default: nothing that is still arriving is served. */
  readonly arrivals?: Arrivals | undefined;
  /** Tells what may soon be here; default: nothing is waited for. */
  readonly elections?: Pick<Elections, "expects"> | undefined;
  readonly clock: Pick<Clock, "sleep">;
  readonly uploads: UploadSlots;
}

/** How often what is expected is looked for, ms. */
const POLL_MS = 10;

/**
 * Answers another node with content that this node is just getting, as soon as it is here or on its
 * way; undefined if it is neither and need not be expected.
 *
 * @param held answers with content that has arrived meanwhile.
 * @throws {OciError} as {@link openArriving} does.
 */
export async function serveArriving(
  collaborators: ArrivingCollaborators,
  call: Call,
  held: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const { elections, clock, arrivals } = collaborators;
  const { request: { path: { reference } }, client } = call;
  if (reference.digest === undefined) return undefined;
  const key = referenceKey(reference);
  // Many wait at the same time, and all have much else to do: the store is not asked in vain.
  const isHere = async (digest: Digest) => await arrivals?.hasArrived(digest) ?? true;
  for (let looks = 0;; looks++) {
    // What was on its way a moment ago may be here by now.
    const answer = await openArriving(collaborators, call) ??
      (looks > 0 && await isHere(reference.digest) ? await held() : undefined);
    if (answer !== undefined || elections?.expects(key) !== true) return answer;
    await clock.sleep(POLL_MS, client);
  }
}

/**
 * Answers with a blob that is arriving; undefined if it is not. Manifests are small: those are
 * served once they are whole and known to be one.
 *
 * @throws {OciError} 404 if the node may not have it, 416 for a range outside of it, 429 if as many
 * blobs as allowed are on their way to peers.
 */
async function openArriving(
  collaborators: ArrivingCollaborators,
  call: Call,
): Promise<Answer | undefined> {
  const { arrivals, uploads } = collaborators;
  const { request: { method, path, range: rangeHeader }, client: { signal } } = call;
  const { digest } = path.reference;
  if (arrivals === undefined || path.kind !== "blob" || digest === undefined) return undefined;
  const content = await arrivals.find(digest, { signal });
  if (content === undefined) return undefined;
  await admitOutsider(collaborators, call, digest, { arriving: true });
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

/** Says that nobody has verified the body: what is wrong with it may be another node's fault. */
function mark(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, [ANSWER_HEADERS.arriving]: YES } };
}
