import { OciError } from "../oci/error.ts";
import { formatDistributionPath } from "../oci/path.ts";
import { resolveRange } from "../oci/range.ts";
import { referenceKey } from "../oci/reference.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest } from "../ports.ts";
import type { Wanted } from "./answer.ts";
import { type MirrorKit, startSearch } from "./kit.ts";
import type { Search } from "./search.ts";
import type { Source } from "./source.ts";
import { streamOf } from "./stream_of.ts";
import { Transfer } from "./transfer.ts";
import { BadContentError } from "./bad_content_error.ts";

/**
 * Gets a blob from peers. A whole blob is verified: a small one before anything of it is returned,
 * a large one before its last bytes are. A part of a blob cannot be verified by anybody but the
 * client, who has the whole in the end.
 *
 * @throws {OciError} 416 for a range outside of the blob, 400 for a malformed one.
 */
export async function fetchBlob(
  kit: MirrorKit,
  request: MirrorRequest,
  signal: AbortSignal,
): Promise<MirrorHit | MirrorMiss> {
  const range = request.method === "GET" ? request.range : undefined;
  requireOneRange(range);
  const wanted: Wanted = {
    path: formatDistributionPath(request),
    method: request.method,
    digest: request.reference.digest,
    yielding: request.method === "GET",
    ...(range === undefined ? {} : { range }),
  };
  const search = startSearch(kit, referenceKey(request.reference));
  let streaming = false;
  try {
    for (let round = 0; round < kit.options.resolveRetries; round++) {
      const source = await search.open(wanted, signal);
      if (source === undefined) break;
      const answer = await answerWith(kit, search, source, wanted, signal);
      if (answer === undefined) continue;
      streaming = answer.streaming;
      return answer.hit;
    }
    if (search.unsatisfiableSize !== undefined) throw notSatisfiable(range, search);
    return search.miss();
  } finally {
    if (!streaming) search.close();
  }
}

/** Undefined if what the peer sent cannot be used. */
async function answerWith(
  kit: MirrorKit,
  search: Search,
  source: Source,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<{ hit: MirrorHit; streaming: boolean } | undefined> {
  const { descriptor, part, peer } = source;
  const hit = {
    found: true as const,
    descriptor,
    peer: peer.id,
    ...(wanted.range === undefined ? {} : { range: { start: part.start, end: part.end - 1 } }),
  };
  if (wanted.method === "HEAD") {
    void source.finish(kit.clock, kit.options.responseTimeoutMs);
    return { hit: { ...hit, body: null }, streaming: false };
  }
  const transfer = new Transfer(
    { first: source, wanted: { path: wanted.path, method: "GET" } },
    { ...kit, search },
    { ...kit.options, signal },
  );
  const isWhole = part.start === 0 && part.end === descriptor.size;
  try {
    if (!isWhole || descriptor.size > kit.options.smallBlobBytes) {
      // A client that is given headers and then nothing fails; without them it goes on upstream.
      const first = await transfer.next();
      return { hit: { ...hit, body: transfer.stream(first) }, streaming: true };
    }
    return { hit: { ...hit, body: streamOf(await transfer.collect()) }, streaming: false };
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
