import { OciError } from "../oci/error.ts";
import { formatDistributionPath } from "../oci/path.ts";
import { resolveRange } from "../oci/range.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest } from "../ports.ts";
import type { Wanted } from "./answer.ts";
import { type MirrorKit, startSearch } from "./kit.ts";
import type { Search } from "./search.ts";
import type { Source } from "./source.ts";
import { Transfer } from "./transfer.ts";
import type { VerifiedContent } from "./content_cache.ts";
import { type Settle, SmallBlobs } from "./small_blobs.ts";
import { wholeBody } from "./whole_body.ts";
import { BadContentError } from "./bad_content_error.ts";

/**
 * Gets blobs from peers. A whole blob is verified: a small one before anything of it is returned, a
 * large one before its last bytes are. A part of a blob cannot be verified by anybody but the
 * client, who has the whole in the end.
 */
export class Blobs {
  readonly #kit: MirrorKit;
  readonly #small = new SmallBlobs();

  constructor(kit: MirrorKit) {
    this.#kit = kit;
  }

  /**
   * @throws {OciError} 416 for a range outside of the blob, 400 for a malformed one; the signal's
   * reason when it aborts.
   */
  async fetch(request: MirrorRequest, signal: AbortSignal): Promise<MirrorHit | MirrorMiss> {
    const range = request.method === "GET" ? request.range : undefined;
    requireOneRange(range);
    const { digest } = request.reference;
    const wanted: Wanted = {
      path: formatDistributionPath(request),
      method: request.method,
      digest,
      yielding: request.method === "GET",
      openOnly: request.openOnly === true,
      ...(range === undefined ? {} : { range }),
    };
    if (digest === undefined || range !== undefined || request.method === "HEAD") {
      return await this.#find(request, wanted, signal, () => {});
    }
    signal.throwIfAborted();
    const joined = await this.#small.join(digest, { signal });
    if (typeof joined !== "function") {
      if (!wanted.openOnly || !joined.isPrivate) return hitOf(joined);
      return await this.#find(request, wanted, signal, () => {});
    }
    const settle = joined;
    try {
      return await this.#find(request, wanted, signal, settle);
    } finally {
      settle(signal.aborted ? "given-up" : undefined);
    }
  }

  /** @param settle told of a small blob, and as soon as it is known that the blob is large. */
  async #find(
    request: MirrorRequest,
    wanted: Wanted,
    signal: AbortSignal,
    settle: Settle,
  ): Promise<MirrorHit | MirrorMiss> {
    const search = startSearch(this.#kit, request);
    let streaming = false;
    try {
      for (let round = 0; round < this.#kit.options.resolveRetries; round++) {
        const source = await search.open(wanted, signal);
        if (source === undefined) break;
        const answer = await answerWith(this.#kit, search, source, wanted, signal);
        if (answer === undefined) continue;
        if ("found" in answer) {
          streaming = answer.body !== null;
          return answer;
        }
        settle(answer);
        return hitOf(answer);
      }
      if (search.unsatisfiableSize !== undefined) throw notSatisfiable(wanted.range, search);
      return search.miss();
    } finally {
      if (!streaming) search.close();
    }
  }
}

function hitOf({ descriptor, peer, isPrivate, content }: VerifiedContent): MirrorHit {
  return Object.assign(wholeBody(content), { found: true as const, descriptor, peer, isPrivate });
}

/** A small blob whole, else a hit; undefined if what the peer sent cannot be used. */
async function answerWith(
  kit: MirrorKit,
  search: Search,
  source: Source,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<VerifiedContent | MirrorHit | undefined> {
  const { descriptor, part, peer, isPrivate } = source;
  const hit = {
    found: true as const,
    descriptor,
    isPrivate,
    peer: peer.id,
    ...(wanted.range === undefined ? {} : { range: { start: part.start, end: part.end - 1 } }),
  };
  if (wanted.method === "HEAD") {
    source.close();
    return { ...hit, body: null };
  }
  const small = wanted.range === undefined && descriptor.size <= kit.options.smallBlobBytes;
  const transfer = new Transfer(
    { first: source, wanted: { path: wanted.path, method: "GET" } },
    { ...kit, search },
    { ...kit.options, verify: kit.options.verify || small, signal },
  );
  try {
    if (!small) {
      // A client that is given headers and then nothing fails; without them it goes on upstream.
      const first = await transfer.next();
      return { ...hit, body: transfer.stream(first) };
    }
    return { descriptor, peer: peer.id, isPrivate, content: await transfer.collect() };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BadContentError) kit.metrics.peerSwitched("lied");
    else kit.log.warn("getting a blob failed", { digest: descriptor.digest, error });
    return undefined;
  }
}

/** Refuses malformed and multiple ranges; the size is not known before peers have answered. */
function requireOneRange(range: string | undefined): void {
  try {
    resolveRange(range, Number.MAX_SAFE_INTEGER);
  } catch (error) {
    if (!(error instanceof OciError) || error.status !== 416) throw error;
    const shown = JSON.stringify(range?.slice(0, 100));
    throw new OciError(error.code, `range ${shown} is not one range that can be served`, {
      status: 416,
    });
  }
}

function notSatisfiable(range: string | undefined, search: Search): OciError {
  return new OciError(
    "SIZE_INVALID",
    `range ${JSON.stringify(range?.slice(0, 100))} is outside of ${search.unsatisfiableSize} bytes`,
    { status: 416, detail: { size: search.unsatisfiableSize } },
  );
}
