import { link } from "../async/link.ts";
import { MAX_MANIFEST_BYTES } from "../oci/media_type.ts";
import { type DistributionPath, formatDistributionPath } from "../oci/path.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { TagAnswer } from "../ports/mirror.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Searches } from "./selection/searches.ts";
import type { Search } from "./selection/search.ts";

/** Peers that are asked about a tag. */
const MAX_ASKED = 4;
/** How long they have to answer after the first of them must have been found, ms. */
const ANSWER_MS = 50;

/** What {@link askTag} works with. */
export interface AskTagCollaborators extends Pick<Runtime, "clock"> {
  readonly searches: Searches;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/** Settings of {@link askTag}. */
export interface AskTagOptions extends Cancellable {
  /** How long the first peer is waited for, ms. */
  readonly resolveTimeoutMs: number;
}

/**
 * Asks peers which digest a tag has there. Rejects only with the signal's reason, when that aborts.
 */
export async function askTag(
  { searches, clock, closing }: AskTagCollaborators,
  path: DistributionPath,
  { resolveTimeoutMs, signal }: AskTagOptions,
): Promise<readonly TagAnswer[]> {
  signal.throwIfAborted();
  const answers: TagAnswer[] = [];
  const search = searches.begin(path);
  const life = link(signal, closing);
  try {
    const asking = Array.from({ length: MAX_ASKED }, () => ask(search, path, life.signal, answers));
    const limit = clock.sleep(resolveTimeoutMs + ANSWER_MS, life);
    // Late peers are aborted, and not waited for.
    await Promise.race([Promise.allSettled(asking), limit]).catch(() => {});
    signal.throwIfAborted();
    return [...answers];
  } finally {
    life.abort();
    search.close();
  }
}

async function ask(
  search: Search,
  path: DistributionPath,
  signal: AbortSignal,
  answers: TagAnswer[],
): Promise<void> {
  const source = await search.openNext({
    path: formatDistributionPath(path),
    method: "HEAD",
    digest: undefined,
    maxBytes: MAX_MANIFEST_BYTES,
  }, signal);
  if (source === undefined) return;
  const { descriptor: { digest }, peer: { id }, tagTime } = source;
  source.close();
  answers.push({ digest, peer: id, updatedAt: tagTime });
}
