import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { DistributionPath } from "../oci/path.ts";
import { type ByteRange, resolveRange } from "../oci/range.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Mirror, MirrorHit } from "../ports/mirror.ts";
import type { Store } from "../ports/store.ts";
import type { Access } from "../ports/access.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Integrity } from "../ports/integrity.ts";
import type { Elections } from "../ports/rollout.ts";
import { admit, admitOutsider } from "./admission.ts";
import type { Call, PullRequest } from "./call.ts";
import { type Answer, contentAnswer, unknownContent } from "./answer.ts";
import { serveArriving } from "./arriving.ts";
import type { RequestContext } from "./request_context.ts";
import { fetchMirrored } from "./fetch_mirrored.ts";
import type { ClientPresence } from "./follow_client.ts";
import type { LocalContent, OpenContent } from "./local_content.ts";
import { TagOpinions } from "./tag_opinions.ts";
import { takeUploadSlot, type UploadSlots } from "./upload_slots.ts";

/** Collaborators of {@link createPull}. */
export interface PullCollaborators extends Runtime {
  readonly local: LocalContent;
  readonly store: Store;
  readonly mirror: Mirror;
  /** Decides who may have what; without it everybody may. */
  readonly access?: Access | undefined;
  readonly uploads: UploadSlots;
  /** Told of content of the store that seems to be wrong; default: nobody is. */
  readonly integrity?: Pick<Integrity, "doubt"> | undefined;
  /** Finds what is still on its way here, for peers; default: only what is held is served. */
  readonly arrivals?: Arrivals | undefined;
  /** Tells what may soon be here, for peers; default: nothing is waited for. */
  readonly elections?: Pick<Elections, "expects"> | undefined;
}

/** Settings of {@link createPull}. */
export interface PullOptions {
  /** References that do not pass are answered 404 without a look anywhere. */
  filter: ReferenceFilter;
  /** How long the mirror may take until it has an answer; its body may take longer. */
  mirrorTimeoutMs: number;
}

/** Answers requests for manifests and blobs. */
export type Pull = (
  request: PullRequest,
  context: RequestContext,
  client: ClientPresence,
) => Promise<Answer>;

/**
 * Makes the handler of pulls: content of the own store is served; a request of a peer or a stranger
 * goes no further; any other is handed to the mirror. The handler throws OciError for what cannot be served, and the
 * client's abort reason if it went away.
 */
export function createPull(collaborators: PullCollaborators, options: PullOptions): Pull {
  const { metrics } = collaborators;
  const tags = new TagOpinions(collaborators);
  const decide = async (call: Call) => {
    const path = await admit({ ...collaborators, tags }, call);
    return path.reference.tag === undefined ? path : await tags.newest(path, call.client);
  };
  return async (request, context, client) => {
    const { path } = request;
    const { registry } = path.reference;
    context.registry = registry;
    context.enter(path.kind);
    if (!options.filter(path.reference)) throw filtered(collaborators, request, context);
    const asked = { request, context, client };
    const outside = context.fromOutside;
    const call = outside ? asked : { ...asked, request: { ...request, path: await decide(asked) } };
    const kept = outside ? undefined : serveKept(collaborators, options, call);
    if (kept !== undefined) return kept;
    if (!outside) anticipate(collaborators, call);
    const local = await serveLocal(collaborators, options, call);
    if (local.answer !== undefined) {
      if (!outside) metrics.mirrorRequest(registry, "local", "");
      return local.answer;
    }
    if (outside) {
      const held = async () => (await serveLocal(collaborators, options, call)).answer;
      const arriving = context.fromPeer && await serveArriving(collaborators, call, held);
      if (arriving) return arriving;
      throw unknownContent(path, { reason: "not held" });
    }
    context.enter("mirror");
    client.signal.throwIfAborted();
    return await serveMirrored(collaborators, options, call, local.resolved);
  };
}

/**
 * A runtime asks for blobs that it does not have: peers are looked for while the own store is looked
 * into. Manifests it asks for time and again.
 */
function anticipate({ local, mirror }: PullCollaborators, { request: { path } }: Call): void {
  if (path.kind === "blob" && !local.isAtHand(path)) mirror.anticipate?.(path);
}

/** The answer from the own store; without one, the digest that a tag has here, if it is known. */
interface LocalOutcome {
  readonly answer?: Answer | undefined;
  readonly resolved?: Digest | undefined;
}

async function serveLocal(
  collaborators: PullCollaborators,
  { filter }: PullOptions,
  call: Call,
): Promise<LocalOutcome> {
  const { request, context, client } = call;
  const { local, integrity } = collaborators;
  const { method, path, range: rangeHeader } = request;
  const finding = await local.find(path, client);
  if (finding.state === "absent") return { resolved: finding.resolved };
  if (finding.state === "misplaced") {
    // Peers apply the same rule, so there is nothing to ask them. Others need not know what is here.
    throw unknownContent(path, {
      reason: context.fromOutside ? "not held" : `not a ${path.kind}`,
    });
  }
  const { descriptor } = finding;
  const { digest: resolved } = descriptor;
  if (!filter(byDigest(path, resolved))) throw filtered(collaborators, request, context);
  if (context.fromOutside) await admitOutsider(collaborators, call, resolved);
  if (context.isDoubted) {
    integrity?.doubt(resolved, { address: context.clientAddress, proven: context.proven });
  }
  const range = resolveRange(rangeHeader, descriptor.size);
  if (path.kind === "manifest") {
    // Whoever is told the digest of a tag will ask for it: it must be there, and right.
    const body = method === "GET" || path.reference.tag !== undefined
      ? await local.readManifest(descriptor, client)
      : null;
    if (body === undefined) return { resolved };
    if (body !== null && !context.fromOutside) collaborators.access?.learn(path.reference, body);
    const answer = { path, descriptor, range: undefined };
    return { answer: contentAnswer({ ...answer, body: method === "GET" ? body : null }) };
  }
  if (method === "HEAD") return { answer: contentAnswer({ path, descriptor, range, body: null }) };
  const { signal } = client;
  const opened = await openBlob(collaborators, context, descriptor, { range, signal });
  const failed = () => integrity?.doubt(resolved);
  const answer = opened && contentAnswer({ path, descriptor, range, failed, ...opened });
  return { answer, resolved };
}

/** A manifest that was got from a peer a moment ago: in memory, so without a look anywhere. */
function serveKept(
  collaborators: PullCollaborators,
  { filter }: PullOptions,
  { request, context }: Call,
): Answer | undefined {
  const { mirror, metrics } = collaborators;
  const { path, method } = request;
  const hit = mirror.kept?.({ ...path, method });
  if (hit === undefined) return undefined;
  if (!filter(path.reference)) throw filtered(collaborators, request, context);
  context.enter("mirror");
  context.peer = hit.peer;
  metrics.mirrorRequest(path.reference.registry, "hit", "");
  const body = method === "GET" ? hit.content ?? hit.body : null;
  return contentAnswer({ path, descriptor: hit.descriptor, range: undefined, body });
}

/**
 * Opens a blob of the own store, for a peer only while not too many are sent.
 *
 * @throws {OciError} 429 (RFC 6585, section 4): the peer asks another, or a little later.
 */
async function openBlob(
  { local, uploads }: PullCollaborators,
  { fromOutside }: RequestContext,
  descriptor: Descriptor,
  options: Cancellable & { readonly range: ByteRange | undefined },
): Promise<OpenContent | undefined> {
  const giveBack = fromOutside ? takeUploadSlot(uploads) : () => {};
  try {
    const opened = await local.openBlob(descriptor, options);
    if (opened === undefined) giveBack();
    return opened && {
      body: opened.body,
      release: () => {
        giveBack();
        opened.release();
      },
    };
  } catch (error) {
    giveBack();
    throw error;
  }
}

function byDigest({ reference: { registry, repository } }: DistributionPath, digest: Digest) {
  return { registry, repository, digest };
}

/** The error for what a filter forbids. */
function filtered(
  { metrics }: PullCollaborators,
  { path }: PullRequest,
  context: RequestContext,
): OciError {
  if (!context.fromOutside) metrics.mirrorRequest(path.reference.registry, "miss", "filtered");
  context.reason = "filtered";
  return unknownContent(path, { reason: "filtered" });
}

/**
 * The answer from peers.
 *
 * @param resolved what a tag points to here: no other content may be served for it.
 */
async function serveMirrored(
  collaborators: PullCollaborators,
  { filter, mirrorTimeoutMs }: PullOptions,
  call: Call,
  resolved: Digest | undefined,
): Promise<Answer> {
  const { metrics } = collaborators;
  const { request: { method, path }, context } = call;
  const { registry } = path.reference;
  const reference = resolved === undefined ? path.reference : byDigest(path, resolved);
  const { result, release } = await fetchMirrored(
    collaborators,
    call,
    { ...path, reference },
    { mirrorTimeoutMs },
  );
  if (!result.found) {
    release();
    const { reason, attempts, turn } = result;
    Object.assign(context, { reason, attempts, turn });
    metrics.mirrorRequest(registry, "miss", reason);
    throw unknownContent(path, { reason, attempts });
  }
  if (!filter(byDigest(path, result.descriptor.digest))) {
    release();
    await result.body?.cancel();
    throw filtered(collaborators, call.request, context);
  }
  metrics.mirrorRequest(registry, "hit", "");
  context.peer = result.peer;
  return await mirroredAnswer(path, result, method, release);
}

async function mirroredAnswer(
  path: DistributionPath,
  hit: MirrorHit,
  method: "GET" | "HEAD",
  release: () => void,
): Promise<Answer> {
  const { descriptor, range, content } = hit;
  if (method === "GET") {
    const body = content ?? hit.body;
    return contentAnswer({ path, descriptor, range, body, release });
  }
  release();
  await hit.body?.cancel();
  return contentAnswer({ path, descriptor, range: undefined, body: null });
}

/**
 * Tells which `Range` header applies to a request: only to a GET of a blob, and with `If-Range`
 * (RFC 9110, section 13.1.5) only if that names the content, whose digest never changes.
 *
 * @throws {OciError} 400 if it is malformed: that does not depend on the content's size.
 */
export function applicableRange(
  method: string,
  path: DistributionPath,
  headers: Headers,
): string | undefined {
  const header = headers.get("range");
  if (header === null || method !== "GET" || path.kind !== "blob") return undefined;
  const validator = headers.get("if-range");
  if (validator !== null && validator !== `"${path.reference.digest}"`) return undefined;
  if (header.length > MAX_RANGE_LENGTH) {
    throw new OciError("SIZE_INVALID", "range is too long", { status: 400 });
  }
  requireWellFormed(header);
  return header;
}

/** One range needs 40 characters; the parser's work grows with the length. */
const MAX_RANGE_LENGTH = 256;

function requireWellFormed(header: string): ByteRange | undefined {
  try {
    return resolveRange(header, Number.MAX_SAFE_INTEGER);
  } catch (error) {
    if (error instanceof OciError && error.status === 416) return undefined;
    throw error;
  }
}
