import type { Digest } from "../oci/digest.ts";
import { OCTET_STREAM } from "../oci/media_type.ts";
import { ANSWER_HEADERS, YES } from "../oci/peer_protocol.ts";
import { resolveRange } from "../oci/range.ts";
import { referenceKey } from "../oci/reference.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Clock } from "../ports/clock.ts";
import type { Elections } from "../ports/rollout.ts";
import type { Admissions } from "./admissions.ts";
import { type Answer, contentAnswer } from "./answer.ts";
import type { Call } from "./call.ts";
import { takeUploadSlot, type UploadSlots } from "./upload_slots.ts";

/** What {@link ArrivingAnswers} work with. */
export interface ArrivingAnswersCollaborators {
  /** Finds content that is arriving; undefined: none is served. */
  readonly arrivals: Arrivals | undefined;
  /** Tells what may soon be here; undefined: nothing is waited for. */
  readonly elections: Pick<Elections, "expects"> | undefined;
  readonly admissions: Admissions;
  readonly uploads: UploadSlots;
  readonly clock: Pick<Clock, "sleep">;
}

/** How often expected content is looked for, ms. */
const POLL_MS = 10;

/** Answers other nodes with content that this node's runtime is just fetching. */
export class ArrivingAnswers {
  readonly #collaborators: ArrivingAnswersCollaborators;

  constructor(collaborators: ArrivingAnswersCollaborators) {
    this.#collaborators = collaborators;
  }

  /**
   * Answers as soon as the content is here or arriving; undefined if it is neither and need not be
   * expected.
   *
   * @param held answers with content that has arrived meanwhile.
   * @throws {OciError} 404 if the node may not have it, 416 for a range outside of it, 429 if as many
   * blobs as allowed are on their way to peers.
   */
  async serve(call: Call, held: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const { elections, clock, arrivals } = this.#collaborators;
    const { request: { path: { reference } }, client } = call;
    if (reference.digest === undefined) return undefined;
    const key = referenceKey(reference);
    // Many nodes wait at the same time: the store is asked only if the content has arrived.
    const isHere = async (digest: Digest) => await arrivals?.hasArrived(digest) ?? true;
    for (let looks = 0;; looks++) {
      // Content that was arriving a moment ago may be here by now.
      const answer = await this.#open(call) ??
        (looks > 0 && await isHere(reference.digest) ? await held() : undefined);
      if (answer !== undefined || elections?.expects(key) !== true) return answer;
      await clock.sleep(POLL_MS, client);
    }
  }

  /** Undefined if no blob is arriving. Manifests are small: they are served once they are whole. */
  async #open(call: Call): Promise<Answer | undefined> {
    const { arrivals, admissions, uploads } = this.#collaborators;
    const { request: { method, path, range: rangeHeader }, client: { signal } } = call;
    const { digest } = path.reference;
    if (arrivals === undefined || path.kind !== "blob" || digest === undefined) return undefined;
    const content = await arrivals.find(digest, { signal });
    if (content === undefined) return undefined;
    await admissions.admitOutsider(call, digest, { arriving: true });
    const range = resolveRange(rangeHeader, content.size);
    const descriptor = { digest, size: content.size, mediaType: OCTET_STREAM };
    if (method === "HEAD") return mark(contentAnswer({ path, descriptor, range, body: null }));
    const release = takeUploadSlot(uploads);
    try {
      const body = await content.open(range);
      if (body !== undefined) {
        return mark(contentAnswer({ path, descriptor, range, body, release }));
      }
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }
}

/** Nobody has verified the body: what is wrong with it may be another node's fault. */
function mark(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, [ANSWER_HEADERS.arriving]: YES } };
}
