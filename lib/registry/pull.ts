import { OciError } from "../oci/error.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Access, AnswerObserver } from "../ports/access.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Integrity } from "../ports/integrity.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Elections } from "../ports/rollout.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Tags } from "../ports/tags.ts";
import { Admissions } from "./admissions.ts";
import { type Answer, unknownContent } from "./answer.ts";
import { ArrivingAnswers } from "./arriving_answers.ts";
import type { Call, PullRequest } from "./call.ts";
import { MirroredFetches } from "./mirrored_fetches.ts";
import { FilteredReferences } from "./filtered_references.ts";
import type { ClientPresence } from "./follow_client.ts";
import { LocalAnswers } from "./local_answers.ts";
import type { LocalContent } from "./local_content.ts";
import { MirroredAnswers } from "./mirrored_answers.ts";
import type { RequestContext } from "./request_context.ts";
import type { UploadSlots } from "./upload_slots.ts";

/** Collaborators of {@link createPull}. */
export interface PullCollaborators extends Runtime {
  readonly content: LocalContent;
  readonly mirror: Mirror;
  readonly tags: Tags;
  /** Decides which clients may have which content; undefined: all may have all of it. */
  readonly access: Access | undefined;
  readonly uploads: UploadSlots;
  /** Told how clients of this node are answered; undefined: nobody is. */
  readonly answers: AnswerObserver | undefined;
  /** Told of content of the store that seems to be damaged; undefined: damage is not reported. */
  readonly integrity: Pick<Integrity, "doubt"> | undefined;
  /** Finds content that is arriving, for peers; undefined: only held content is served. */
  readonly arrivals: Arrivals | undefined;
  /** Tells what may soon be here, for peers; undefined: nothing is waited for. */
  readonly elections: Pick<Elections, "expects"> | undefined;
}

/** Settings of {@link createPull}. */
export interface PullOptions {
  /** References that do not pass are answered 404, and nothing is looked up. */
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
 * Makes the handler of pulls. Content of the own store is served; any other request of a client of
 * this node is handed to the mirror, and a request of a peer or a stranger goes no further. The
 * handler throws OciError for content that cannot be served, and the client's abort reason if it
 * went away.
 */
export function createPull(
  collaborators: PullCollaborators,
  { filter, mirrorTimeoutMs }: PullOptions,
): Pull {
  const { content, mirror, tags, access, uploads, integrity, arrivals, elections } = collaborators;
  const { clock, log, metrics, answers } = collaborators;
  const admissions = new Admissions({ access, metrics });
  const references = new FilteredReferences(filter, metrics);
  const fetches = new MirroredFetches(
    { mirror, admissions, tags, log, metrics },
    { mirrorTimeoutMs },
  );
  const local = new LocalAnswers({ content, admissions, references, uploads, access, integrity });
  const arriving = new ArrivingAnswers({ arrivals, elections, admissions, uploads, clock });
  const mirrored = new MirroredAnswers({ mirror, fetches, references, metrics });

  const serveOutsider = async (call: Call): Promise<Answer> => {
    const held = async () => (await local.serve(call)).answer;
    const answer = await held() ??
      (call.context.fromPeer ? await arriving.serve(call, held) : undefined);
    if (answer !== undefined) return answer;
    throw unknownContent(call.request.path, { reason: "not held" });
  };

  const serveClient = async (asked: Call): Promise<Answer> => {
    const { request, context, client } = asked;
    const upstream = await admissions.admit(asked);
    const path = await tags.resolve(request.path, upstream, client);
    const call = { ...asked, request: { ...request, path } };
    const kept = mirrored.kept(call);
    if (kept !== undefined) return kept;
    // A runtime asks for blobs that it does not have, so the search for peers begins at once. It
    // asks for manifests repeatedly.
    if (path.kind === "blob" && !content.isAtHand(path)) mirror.anticipate?.(path);
    const { answer, resolved } = await local.serve(call);
    if (answer !== undefined) {
      metrics.mirrorRequest(path.reference.registry, "local", "");
      return answer;
    }
    context.enter("mirror");
    client.signal.throwIfAborted();
    return await mirrored.serve(call, resolved);
  };

  return async (request, context, client) => {
    const { path } = request;
    context.registry = path.reference.registry;
    context.enter(path.kind);
    if (!references.allows(path)) throw references.refusal(path, context);
    const call = { request, context, client };
    if (context.fromOutside) return await serveOutsider(call);
    if (answers === undefined || path.kind === "blob") return await serveClient(call);
    return await tell(answers, request, serveClient(call));
  };
}

async function tell(
  answers: AnswerObserver,
  request: PullRequest,
  pending: Promise<Answer>,
): Promise<Answer> {
  try {
    const answer = await pending;
    answers.answered(request, answer.headers["docker-content-digest"]);
    return answer;
  } catch (error) {
    if (error instanceof OciError) answers.answered(request, undefined);
    throw error;
  }
}
