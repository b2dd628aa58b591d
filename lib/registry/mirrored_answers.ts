import type { Digest } from "../oci/digest.ts";
import { byDigest, type DistributionPath } from "../oci/path.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Mirror, MirrorHit } from "../ports/mirror.ts";
import { type Answer, contentAnswer, unknownContent } from "./answer.ts";
import type { Call } from "./call.ts";
import type { MirroredFetches } from "./mirrored_fetches.ts";
import type { FilteredReferences } from "./filtered_references.ts";

/** What {@link MirroredAnswers} work with. */
export interface MirroredAnswersCollaborators {
  readonly mirror: Pick<Mirror, "kept">;
  readonly fetches: MirroredFetches;
  readonly references: FilteredReferences;
  readonly metrics: Pick<Metrics, "mirrorRequest">;
}

/** Answers clients of this node with content of peers. */
export class MirroredAnswers {
  readonly #collaborators: MirroredAnswersCollaborators;

  constructor(collaborators: MirroredAnswersCollaborators) {
    this.#collaborators = collaborators;
  }

  /**
   * A manifest that a peer sent a moment ago: it is in memory, so nothing is looked up. Undefined if
   * there is none.
   *
   * @throws {OciError} 404 if it is filtered.
   */
  kept({ request: { path, method }, context }: Call): Answer | undefined {
    const { mirror, references, metrics } = this.#collaborators;
    const hit = mirror.kept?.({ ...path, method });
    if (hit === undefined) return undefined;
    if (!references.allows(path)) throw references.refusal(path, context);
    context.enter("mirror");
    context.peer = hit.peer;
    metrics.mirrorRequest(path.reference.registry, "hit", "");
    const body = method === "GET" ? hit.content ?? hit.body : null;
    return contentAnswer({ path, descriptor: hit.descriptor, range: undefined, body });
  }

  /**
   * Gets the content from peers.
   *
   * @param resolved the digest that a tag has in the own store: no other content may be served.
   * @throws {OciError} 404 if no peer delivers it or it is filtered, and as {@link MirroredFetches}
   * do; the client's abort reason if it went away.
   */
  async serve(call: Call, resolved: Digest | undefined): Promise<Answer> {
    const { fetches, references, metrics } = this.#collaborators;
    const { request: { method, path }, context } = call;
    const { registry } = path.reference;
    const { result, release } = await fetches.fetch(
      call,
      resolved === undefined ? path : byDigest(path, resolved),
    );
    if (!result.found) {
      release();
      const { reason, attempts, turn } = result;
      Object.assign(context, { reason, attempts, turn });
      metrics.mirrorRequest(registry, "miss", reason);
      throw unknownContent(path, { reason, attempts });
    }
    if (!references.allows(path, result.descriptor.digest)) {
      release();
      await result.body?.cancel();
      throw references.refusal(path, context);
    }
    metrics.mirrorRequest(registry, "hit", "");
    context.peer = result.peer;
    return await answerOf(path, result, method, release);
  }
}

async function answerOf(
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
