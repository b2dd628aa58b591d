import { deadline } from "../async/deadline.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Mirror, MirrorHit, MirrorMiss, MissReason } from "../ports/mirror.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Tags } from "../ports/tags.ts";
import type { Admissions } from "./admissions.ts";
import type { Call } from "./call.ts";
import {
  afterAnswer,
  afterCheck,
  type AskEvent,
  type AskState,
  type CheckEvent,
  type FetchState,
  isAsk,
  isCheck,
} from "./fetch_states.ts";

/** What {@link MirroredFetches} work with. */
export interface FetchCollaborators extends Pick<Runtime, "log" | "metrics"> {
  readonly mirror: Pick<Mirror, "fetch">;
  readonly admissions: Admissions;
  readonly tags: Tags;
}

/** The answer of peers. `release` is to be called once its body has ended. */
export interface Mirrored {
  readonly result: MirrorHit | MirrorMiss;
  readonly release: () => void;
}

/** Settings of {@link MirroredFetches}. */
export interface FetchOptions {
  /** How long the mirror may take until it has an answer; its body may take longer. */
  readonly mirrorTimeoutMs: number;
}

/** Gets content from peers. */
export class MirroredFetches {
  readonly #collaborators: FetchCollaborators;
  readonly #options: FetchOptions;

  constructor(collaborators: FetchCollaborators, options: FetchOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /**
   * Gets the content of one request. If a peer says that the content is private, the client's right
   * to it is checked first. A client without that right gets only content that peers offer to
   * everybody.
   *
   * @throws {OciError} what {@link Admissions.admit} throws, 416 for a range that the content does
   * not have; the client's abort reason if it went away.
   */
  async fetch(call: Call, path: DistributionPath): Promise<Mirrored> {
    return await new MirroredFetch(this.#collaborators, this.#options, call, path).run();
  }
}

/** One fetch, which goes from state to state as `fetch_states.ts` says. */
class MirroredFetch {
  readonly #collaborators: FetchCollaborators;
  readonly #options: FetchOptions;
  readonly #call: Call;
  #path: DistributionPath;
  /** The last answer of peers. */
  #last: Mirrored | undefined;
  /** Why the client may not have private content, and the reason that goes with it. */
  #denial: { readonly error: OciError; readonly reason: MissReason | undefined } | undefined;

  constructor(
    collaborators: FetchCollaborators,
    options: FetchOptions,
    call: Call,
    path: DistributionPath,
  ) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#call = call;
    this.#path = path;
  }

  async run(): Promise<Mirrored> {
    let state = this.#first();
    try {
      while (isAsk(state) || isCheck(state)) {
        state = isAsk(state)
          ? afterAnswer(state, await this.#ask(state))
          : afterCheck(state, await this.#check());
      }
      if (state === "answered" && this.#last !== undefined) return this.#last;
      throw this.#refusal();
    } catch (error) {
      await this.#letGo();
      throw error;
    }
  }

  /** Where the client's right is not known yet, a layer is asked for as open content first. */
  #first(): FetchState {
    const { request: { method } } = this.#call;
    const isSettled = this.#collaborators.admissions.isSettled(this.#call);
    return isSettled || method === "HEAD" || this.#path.kind !== "blob" ? "any" : "open";
  }

  async #ask(state: AskState): Promise<AskEvent> {
    await this.#letGo();
    this.#last = await this.#fetch({
      headersOnly: state === "headers",
      openOnly: state === "open" || state === "open-only",
    });
    const { admissions } = this.#collaborators;
    const { result } = this.#last;
    if (!result.found) return result.reason === "peers-refused" ? "refused" : "absent";
    return result.isPrivate && admissions.checksPrivate ? "private" : "found";
  }

  async #check(): Promise<CheckEvent> {
    const { admissions, tags } = this.#collaborators;
    const { request: { path }, context, client } = this.#call;
    try {
      const upstream = await admissions.admit(this.#call, true);
      if (upstream === undefined || upstream === this.#digest) return "admitted";
      this.#path = await tags.resolve(path, upstream, client);
      return "admitted-other";
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      this.#denial = { error, reason: context.reason };
      context.reason = undefined;
      return "denied";
    }
  }

  /** Of what peers answered last. */
  get #digest(): Digest | undefined {
    const { result } = this.#last ?? {};
    return result?.found ? result.descriptor.digest : undefined;
  }

  #refusal(): Error {
    if (this.#denial === undefined) return new Error("a fetch ended without an answer");
    const { error, reason } = this.#denial;
    const { request, context } = this.#call;
    context.reason = reason;
    this.#collaborators.metrics.mirrorRequest(
      request.path.reference.registry,
      "miss",
      reason ?? "unauthorized",
    );
    return error;
  }

  async #letGo(): Promise<void> {
    const last = this.#last;
    this.#last = undefined;
    last?.release();
    if (last?.result.found) await last.result.body?.cancel();
  }

  async #fetch(
    { headersOnly, openOnly }: { readonly headersOnly: boolean; readonly openOnly: boolean },
  ): Promise<Mirrored> {
    const { mirror, log } = this.#collaborators;
    const { request: { method, range }, context: { clientAddress }, client } = this.#call;
    const limit = deadline(this.#options.mirrorTimeoutMs, { signal: client.signal });
    const release = () => limit[Symbol.dispose]();
    try {
      const wanted = {
        ...this.#path,
        method: headersOnly ? "HEAD" as const : method,
        ...(clientAddress === "" ? {} : { client: clientAddress }),
        ...(range === undefined || headersOnly ? {} : { range }),
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
      // The mirror's own limits should have ended the call. If they have not, it is a miss.
      const { kind, reference: { registry } } = this.#path;
      log.error("mirror failed", { error, kind, registry });
      const reason = timedOut ? "timeout" : "peers-unreachable";
      return { result: { found: false, reason, attempts: 0 }, release };
    }
  }
}
