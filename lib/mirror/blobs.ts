import { joinBytes } from "../net/bytes.ts";
import { OciError } from "../oci/error.ts";
import { formatDistributionPath } from "../oci/path.ts";
import { type ByteRange, resolveRange, singleRange } from "../oci/range.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest, MissReason } from "../ports/mirror.ts";
import type { Wanted } from "./http/answer.ts";
import { BadContentError } from "./transfer/bad_content_error.ts";
import type { Tainted } from "./transfer/tainted.ts";
import type { Transfers } from "./transfer/transfers.ts";
import type { Searches } from "./selection/searches.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Search } from "./selection/search.ts";
import type { Source } from "./selection/source.ts";
import { wholeBody } from "./whole/whole_body.ts";
import { SlabList } from "./memory/content_memory.ts";
import { Held } from "./whole/held.ts";
import { isLead, type Lead, SharedBlobs, type WholeBlob } from "./whole/shared_blobs.ts";
import type { Hold, WholeBlobs } from "./whole/whole_blobs.ts";

/**
 * The outcome of one peer's answer: a hit, the reason of a miss, or that the next peer is asked.
 */
type Outcome = MirrorHit | MissReason | "next";

/** What {@link Blobs} work with. */
export interface BlobsCollaborators extends Pick<Runtime, "log" | "metrics"> {
  readonly searches: Searches;
  readonly transfers: Transfers;
  readonly wholes: WholeBlobs;
  readonly tainted: Tainted;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/** A request, with all that gets its blob. */
interface BlobTask {
  readonly wanted: Wanted;
  readonly search: Search;
  readonly hold: Hold;
  /** Undefined for a HEAD request. */
  readonly lead: Lead | undefined;
  readonly signal: AbortSignal;
}

/**
 * Gets blobs from peers. A blob that fits into memory is verified as a whole before any of it is
 * passed on, also if only a part of it is requested. A larger one is streamed, if possible from a
 * peer that has proved that it belongs to the cluster, and verified before its last bytes.
 */
export class Blobs {
  readonly #collaborators: BlobsCollaborators;
  readonly #verify: boolean;
  readonly #wholes: WholeBlobs;
  readonly #shared = new SharedBlobs();

  /** @param verify whether streamed blobs are verified. */
  constructor(collaborators: BlobsCollaborators, verify: boolean) {
    this.#collaborators = collaborators;
    this.#wholes = collaborators.wholes;
    this.#verify = verify;
  }

  /**
   * @throws {OciError} 416 for a range outside of the blob; the signal's reason when it aborts.
   */
  async fetch(request: MirrorRequest, signal: AbortSignal): Promise<MirrorHit | MirrorMiss> {
    const range = request.method === "GET" ? singleRange(request.range) : undefined;
    const { digest } = request.reference;
    const wanted: Wanted = {
      path: formatDistributionPath(request),
      method: request.method,
      digest,
      yielding: request.method === "GET",
      openOnly: request.openOnly === true,
      ...this.#wholes.large,
      range,
    };
    if (digest === undefined || request.method === "HEAD") {
      return await this.#find(request, wanted, signal);
    }
    signal.throwIfAborted();
    const joined = this.#wholes.kept(wanted) ?? await this.#shared.join(digest, { signal });
    if (!isLead(joined) && !(wanted.openOnly && joined.isPrivate)) {
      return this.#hitOf(joined, wanted, signal);
    }
    if (joined instanceof Held) joined.decline();
    const lead = isLead(joined) ? joined : this.#shared.lead(digest);
    try {
      return await this.#find(request, wanted, signal, lead);
    } finally {
      lead.end({ isGivenUp: signal.aborted });
    }
  }

  async #find(
    request: MirrorRequest,
    wanted: Wanted,
    signal: AbortSignal,
    lead?: Lead,
  ): Promise<MirrorHit | MirrorMiss> {
    const search = this.#collaborators.searches.begin(request);
    const { range: _range, knownFrom: _known, largeFrom: _large, ...whole } = wanted;
    using hold = this.#wholes.begin({
      search,
      signal,
      wanted: whole,
      client: request.client ?? "",
    });
    const task: BlobTask = { wanted, search, hold, lead, signal };
    let streaming = false;
    try {
      while (hold.goesOn) {
        const source = await search.open(wanted, signal);
        if (source === undefined) break;
        const outcome = await this.#take(task, source);
        if (outcome === "next") continue;
        if (typeof outcome === "string") return search.miss(outcome);
        streaming = outcome.body !== null;
        return outcome;
      }
      if (search.unsatisfiableSize !== undefined) throw notSatisfiable(wanted.range, search);
      return search.miss();
    } finally {
      if (!streaming) search.close();
    }
  }

  /** Turns a peer's answer into an outcome. */
  async #take(task: BlobTask, source: Source): Promise<Outcome> {
    const { wanted, lead } = task;
    if (lead === undefined) {
      source.close();
      return { ...headersOf(source, wanted), body: null };
    }
    const plan = this.#wholes.plan(source, wanted);
    if (plan === "whole") return await this.#takeWhole({ ...task, lead }, source);
    if (plan === "stream") return await this.#stream(task, source);
    source.close();
    return "bad-content";
  }

  /** Gets it whole and verifies it first. */
  async #takeWhole(task: BlobTask & { readonly lead: Lead }, source: Source): Promise<Outcome> {
    const { wanted, hold, lead, signal } = task;
    const place = await hold.room(source).catch((error) => {
      source.close();
      throw error;
    });
    if (place === undefined) {
      // A peer of the cluster is trusted enough to stream from.
      if (source.isProven) return await this.#stream(task, source);
      source.close();
      return "peers-busy";
    }
    let kept = false;
    try {
      const whole = await hold.read(source, place);
      if (whole === undefined) return hold.isLate ? "timeout" : "next";
      const { descriptor, peer: { id: peer } } = source;
      const blob = { descriptor, peer, isPrivate: whole.isPrivate };
      const { memory, room } = place;
      kept = true;
      const shared = memory instanceof SlabList
        ? lead.held({ ...blob, memory, room })
        : lead.small({ ...blob, content: joinBytes(memory.pieces) });
      if (wanted.range !== undefined) this.#wholes.keep(wanted, shared);
      return this.#hitOf(shared, wanted, signal);
    } finally {
      if (!kept) place.room.close();
    }
  }

  /** Streams it. */
  async #stream(task: BlobTask, source: Source): Promise<Outcome> {
    const { wanted, search, hold, signal } = task;
    const { path, openOnly = false, knownFrom, largeFrom } = wanted;
    const { descriptor: { digest }, isProven } = source;
    const transfer = this.#collaborators.transfers.begin(
      {
        first: source,
        wanted: {
          path,
          method: "GET",
          openOnly,
          knownFrom,
          largeFrom,
        },
      },
      search,
      { signal },
    );
    try {
      // A client that gets headers and then no body fails; without headers it goes on upstream.
      const first = await transfer.next();
      if (!isProven && !transfer.isWhole && this.#verify) {
        this.#collaborators.tainted.addPart(digest, source.part.start);
      }
      return { ...headersOf(source, wanted), body: transfer.stream(first) };
    } catch (error) {
      signal.throwIfAborted();
      hold.failed();
      if (error instanceof BadContentError) this.#collaborators.metrics.peerSwitched("lied");
      else this.#collaborators.log.warn("getting a blob failed", { digest, error });
      return "next";
    }
  }

  /** @throws {OciError} 416 for a range outside of it. */
  #hitOf(blob: WholeBlob, { range }: Wanted, signal: AbortSignal): MirrorHit {
    const { descriptor, peer, isPrivate } = blob;
    const hit = { found: true as const, descriptor, peer, isPrivate };
    const { size, digest } = descriptor;
    const part = partOf(blob, range);
    if (part === undefined) this.#collaborators.tainted.clear(digest);
    const { start = 0, end = size - 1 } = part ?? {};
    const body = blob instanceof Held
      ? { body: blob.body({ start, end: end + 1 }, signal, this.#collaborators.closing) }
      : wholeBody(part === undefined ? blob.content : blob.content.slice(start, end + 1));
    return Object.assign(body, hit, part === undefined ? {} : { range: part });
  }
}

/**
 * @throws {OciError} 416 for a range outside of it; then the blob is declined.
 */
function partOf(blob: WholeBlob, range: string | undefined): ByteRange | undefined {
  try {
    return resolveRange(range, blob.descriptor.size);
  } catch (error) {
    if (blob instanceof Held) blob.decline();
    throw error;
  }
}

function headersOf({ descriptor, part, peer, isPrivate }: Source, { range }: Wanted) {
  return {
    found: true as const,
    descriptor,
    isPrivate,
    peer: peer.id,
    ...(range === undefined ? {} : { range: { start: part.start, end: part.end - 1 } }),
  };
}

function notSatisfiable(range: string | undefined, search: Search): OciError {
  return new OciError(
    "SIZE_INVALID",
    `range ${JSON.stringify(range?.slice(0, 100))} is outside of ${search.unsatisfiableSize} bytes`,
    { status: 416, detail: { size: search.unsatisfiableSize } },
  );
}
