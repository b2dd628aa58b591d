import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { BadContentError } from "../transfer/bad_content_error.ts";
import type { Evidence } from "../transfer/evidence.ts";
import type { Doubts } from "../transfer/doubts.ts";
import type { Tainted } from "../transfer/tainted.ts";
import type { Transfers } from "../transfer/transfers.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { MirrorOptions } from "../options.ts";
import type { Search } from "../selection/search.ts";
import type { Source } from "../selection/source.ts";
import type { ContentMemory } from "../memory/content_memory.ts";

/** What a {@link WholeReader} works with. */
export interface WholeReaderCollaborators extends Pick<Runtime, "log" | "metrics"> {
  readonly transfers: Transfers;
  readonly doubts: Pick<Doubts, "tell">;
  readonly tainted: Pick<Tainted, "evidence">;
}

/** Settings of a {@link WholeReader}. */
export type WholeReaderLimits = Pick<MirrorOptions, "resolveRetries" | "maxCandidates">;

/** Makes a reader for one request. */
export type CreateWholeReader = (init: WholeReaderInit) => WholeReader;

/** The request that a {@link WholeReader} reads for. */
export interface WholeReaderInit {
  readonly search: Search;
  /** Content that peers say is private is not accepted. */
  readonly openOnly: boolean;
}

/** Settings of reading one answer; they may replace settings of the mirror. */
export interface WholeReaderOptions extends Cancellable, Partial<MirrorOptions> {
  /** Path and query of the content, by digest. */
  readonly path: string;
  /** Stores the content; emptied if it cannot be used. */
  readonly memory: ContentMemory;
}

/** Content that has been verified. */
export interface WholeContent {
  readonly isPrivate: boolean;
}

/**
 * Reads all of some content, and keeps count of the answers that failed. After several peers
 * together sent wrong content, each answer comes from one peer alone, so that the liar is known.
 */
export class WholeReader {
  readonly #collaborators: WholeReaderCollaborators;
  readonly #limits: WholeReaderLimits;
  readonly #init: WholeReaderInit;
  #unsolved: { readonly evidence: Evidence; readonly digest: Digest }[] = [];
  #single = false;
  #failures = 0;
  #lies = 0;

  constructor(
    collaborators: WholeReaderCollaborators,
    limits: WholeReaderLimits,
    init: WholeReaderInit,
  ) {
    this.#collaborators = collaborators;
    this.#limits = limits;
    this.#init = init;
  }

  /** Whether another answer may be tried: wrong ones cost nothing but time. */
  get goesOn(): boolean {
    const { resolveRetries, maxCandidates } = this.#limits;
    // Then each peer is asked alone: a liar that sent only a part of the wrong content is likely to
    // break off again.
    return this.#failures < (this.#single ? maxCandidates : resolveRetries) &&
      this.#lies < maxCandidates;
  }

  /** An answer that was not read here failed. */
  failed(): void {
    this.#failures++;
  }

  /**
   * Undefined if the content cannot be used.
   *
   * @throws the signal's reason when it aborts.
   */
  async read(
    first: Source,
    { signal, path, memory, ...options }: WholeReaderOptions,
  ): Promise<WholeContent | undefined> {
    const { search, openOnly } = this.#init;
    const { digest } = first.descriptor;
    const transfer = this.#collaborators.transfers.begin(
      { first, wanted: { path, method: "GET", openOnly } },
      search,
      { ...options, verify: true, single: this.#single, signal },
    );
    try {
      await transfer.whole(memory);
      this.#solve(digest, path, memory);
      return { isPrivate: transfer.isPrivate };
    } catch (error) {
      memory.drop();
      signal.throwIfAborted();
      if (error instanceof BadContentError) this.#wrong(error, digest);
      else {
        this.#failures++;
        this.#collaborators.log.warn("getting content failed", { digest, error });
      }
      return undefined;
    }
  }

  #wrong({ evidence }: BadContentError, digest: Digest): void {
    this.#lies++;
    this.#collaborators.metrics.peerSwitched("lied");
    if (evidence === undefined) return;
    this.#unsolved.push({ evidence, digest });
    // All peers are asked once more, each alone.
    this.#single = true;
    this.#init.search.refresh();
  }

  /** Blames peers that sent other bytes than the right ones, in this request or an earlier one. */
  #solve(digest: Digest, path: string, right: ContentMemory): void {
    const { doubts, tainted } = this.#collaborators;
    const solved = this.#unsolved.filter((one) => one.digest === digest);
    this.#unsolved = [];
    for (const evidence of [tainted.evidence(digest), ...solved.map((one) => one.evidence)]) {
      const sender = evidence?.liar(right.pieces);
      if (sender === undefined) continue;
      this.#init.search.shun(sender, { digest, what: "other bytes than the right ones" });
      doubts.tell({ ...sender.peer, addresses: [sender.address] }, path);
    }
  }
}
