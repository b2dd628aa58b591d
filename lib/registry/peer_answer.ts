import { type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { ANSWER_HEADERS } from "../oci/peer_protocol.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Store } from "../ports/store.ts";
import type { PeerAuth } from "../ports/access.ts";
import type { Answer } from "./answer.ts";
import { rawTarget } from "./request_target.ts";

/** Makes the headers that prove an answer. */
export type ProveAnswer = (
  digest: Digest,
  tagTime?: string,
) => Promise<Readonly<Record<string, string>>>;

/**
 * Makes proofs for the answer to a request; undefined if the request does not prove that it is from
 * a node of the cluster.
 */
export async function proofOf(
  { method, url, headers }: Request,
  peerAuth: PeerAuth | undefined,
): Promise<ProveAnswer | undefined> {
  if (peerAuth === undefined) return undefined;
  const id = await peerAuth.verify({ method, path: rawTarget(url), headers });
  if (id === undefined) return undefined;
  return (digest, tagTime) => peerAuth.signAnswer(id, digest, tagTime);
}

/**
 * Completes the answer to a node's request, in the answer's headers.
 *
 * Content proves itself by its digest; that a tag means this digest does not. So the answer to a
 * request by tag gets the time of the tag's last change, and a proof of it. The answer with a blob
 * that is too large to be verified before it is passed on gets a proof that it comes from a node of
 * the cluster.
 */
export async function completePeerAnswer(
  answer: Answer,
  reference: Reference,
  { store, proof }: { readonly store: Store; readonly proof: ProveAnswer | undefined },
  options: Cancellable,
): Promise<Answer> {
  if (reference.tag !== undefined) {
    const digest = answer.headers["docker-content-digest"] ?? "";
    if (answer.status !== 200 || !isDigest(digest)) return answer;
    const time = await store.updatedAt?.(formatReference(reference), options)
      .catch(() => undefined);
    const tagTime = time === undefined ? undefined : String(time);
    const headers = tagTime === undefined ? {} : { [ANSWER_HEADERS.tagTime]: tagTime };
    return withHeaders(answer, { ...headers, ...await proof?.(digest, tagTime) });
  }
  const isStream = answer.body instanceof ReadableStream;
  if (reference.digest === undefined || proof === undefined || !isStream) return answer;
  return withHeaders(answer, await proof(reference.digest));
}

/**
 * Completes a list for a node with its digest, which a proof can name: a list does not prove itself,
 * so that it is believed of nodes of the cluster.
 */
export async function completeListAnswer(
  answer: Answer,
  proof: ProveAnswer | undefined,
): Promise<Answer> {
  if (!(answer.body instanceof Uint8Array)) return answer;
  const digest = digestOf(answer.body);
  return withHeaders(answer, { "docker-content-digest": digest, ...await proof?.(digest) });
}

function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
