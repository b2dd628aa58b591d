import { type Digest, isDigest } from "../oci/digest.ts";
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

/** How to prove the answer to a request that proves to be from a node of the cluster. */
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
 * Completes the answer to a node's request by tag: when that was so last, and a proof of it.
 * Content proves itself by its digest; that a tag means this digest does not.
 */
export async function tagAnswer(
  answer: Answer,
  reference: Reference,
  { store, proof }: { readonly store: Store; readonly proof: ProveAnswer | undefined },
  options: Cancellable,
): Promise<Answer> {
  const digest = answer.headers["docker-content-digest"] ?? "";
  if (answer.status !== 200 || !isDigest(digest)) return answer;
  const time = await store.updatedAt?.(formatReference(reference), options)
    .catch(() => undefined);
  const tagTime = time === undefined ? undefined : String(time);
  const headers = tagTime === undefined ? {} : { [ANSWER_HEADERS.tagTime]: tagTime };
  return {
    ...answer,
    headers: { ...answer.headers, ...headers, ...await proof?.(digest, tagTime) },
  };
}

/**
 * Completes the answer to a node's request for a blob that is too large to be verified before it is
 * passed on: with a proof that it comes from a node of the cluster.
 */
export async function provenAnswer(
  answer: Answer,
  { digest }: Reference,
  proof: ProveAnswer | undefined,
): Promise<Answer> {
  const isStream = answer.body instanceof ReadableStream;
  if (digest === undefined || proof === undefined || !isStream) return answer;
  return { ...answer, headers: { ...answer.headers, ...await proof(digest) } };
}
