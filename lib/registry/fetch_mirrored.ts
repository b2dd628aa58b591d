import { deadline } from "../async/deadline.ts";
import { OciError } from "../oci/error.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Log } from "../ports/log.ts";
import type { Mirror, MirrorHit, MirrorMiss } from "../ports/mirror.ts";
import { type AdmissionCollaborators, admit } from "./admission.ts";
import type { Call } from "./call.ts";

/** What {@link fetchMirrored} works with. */
export interface FetchCollaborators extends AdmissionCollaborators {
  readonly mirror: Mirror;
  readonly log: Log;
}

/** What peers have, and what ends once the answer's body has. */
export interface Mirrored {
  readonly result: MirrorHit | MirrorMiss;
  readonly release: () => void;
}

/** Settings of {@link fetchMirrored}. */
export interface FetchOptions {
  /** How long the mirror may take until it has an answer; its body may take longer. */
  readonly mirrorTimeoutMs: number;
}

/**
 * Gets content from peers. If the peer says that it is private, the client's right to it is made
 * sure of first; without that, what peers have that say nothing of the kind is taken: a peer that
 * lies costs no more than its own answer.
 *
 * @throws {OciError} what {@link admit} throws, 416 for a range that the content does not have; the
 * client's abort reason if it went away.
 */
export async function fetchMirrored(
  collaborators: FetchCollaborators,
  call: Call,
  path: DistributionPath,
  options: FetchOptions,
): Promise<Mirrored> {
  const { access, metrics } = collaborators;
  const { request, context } = call;
  const { mirrored, again } = await fetchFirst(collaborators, call, path, options);
  const { result, release } = mirrored;
  if (!result.found || !result.isPrivate || access === undefined) {
    return await again?.() ?? mirrored;
  }
  const { descriptor: { digest } } = result;
  const admitted = await admit(collaborators, call, true).catch((error: unknown) => ({ error }));
  const isRight = "reference" in admitted && (admitted.reference.digest ?? digest) === digest;
  if (isRight) return await again?.() ?? mirrored;
  release();
  await result.body?.cancel();
  if ("reference" in admitted) {
    const { reference } = admitted;
    return await fetchOnce(collaborators, call, { ...path, reference }, options);
  }
  const { error } = admitted;
  if (!(error instanceof OciError)) throw error;
  const { reason } = context;
  context.reason = undefined;
  const others = await fetchOnce(collaborators, call, path, options, true);
  if (others.result.found) return others;
  others.release();
  context.reason = reason;
  metrics.mirrorRequest(request.path.reference.registry, "miss", reason ?? "unauthorized");
  throw error;
}

/**
 * A layer comes as soon as it is asked for. Where the client's right to it was not made sure of, what
 * is open is asked for, and only if nobody has that, the headers of what may be private.
 *
 * @returns what peers answer; `again` gets the content, if those are only its headers.
 */
async function fetchFirst(
  collaborators: FetchCollaborators,
  call: Call,
  path: DistributionPath,
  options: FetchOptions,
): Promise<{ readonly mirrored: Mirrored; readonly again?: () => Promise<Mirrored> }> {
  const { request, context: { entitled } } = call;
  const fetch = () => fetchOnce(collaborators, call, path, options);
  const isSettled = collaborators.access === undefined || entitled;
  if (isSettled || request.method === "HEAD" || path.kind !== "blob") {
    return { mirrored: await fetch() };
  }
  const open = await fetchOnce(collaborators, call, path, options, true);
  if (open.result.found || open.result.reason !== "peers-refused") return { mirrored: open };
  open.release();
  const head = { ...call, request: { ...request, method: "HEAD" as const, range: undefined } };
  const mirrored = await fetchOnce(collaborators, head, path, options);
  if (!mirrored.result.found) return { mirrored };
  mirrored.release();
  return { mirrored, again: fetch };
}

async function fetchOnce(
  { mirror, log }: FetchCollaborators,
  { request: { method, range }, context: { clientAddress }, client }: Call,
  path: DistributionPath,
  { mirrorTimeoutMs }: FetchOptions,
  openOnly = false,
): Promise<Mirrored> {
  const limit = deadline(mirrorTimeoutMs, { signal: client.signal });
  const release = () => limit[Symbol.dispose]();
  try {
    const wanted = {
      ...{ ...path, method },
      ...(clientAddress === "" ? {} : { client: clientAddress }),
      ...(range === undefined ? {} : { range }),
      ...(openOnly ? { openOnly } : {}),
    };
    const result = await mirror.fetch(wanted, { signal: limit.signal });
    limit.clear();
    return { result, release };
  } catch (error) {
    const timedOut = limit.signal.aborted;
    release();
    client.signal.throwIfAborted();
    if (error instanceof OciError) throw error;
    // The mirror's own bounds should end every call before; a client must not suffer otherwise.
    const { kind, reference: { registry } } = path;
    log.error("mirror failed", { error, kind, registry });
    const reason = timedOut ? "timeout" : "peers-unreachable";
    return { result: { found: false, reason, attempts: 0 }, release };
  }
}
