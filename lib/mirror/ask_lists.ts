import { link } from "../async/link.ts";
import { joinBytes } from "../net/bytes.ts";
import { hasDigest } from "../oci/digest.ts";
import { formatListing, parseEntries } from "../oci/listing.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { ListRequest, PeerList } from "../ports/mirror.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Search } from "./selection/search.ts";
import type { Searches } from "./selection/searches.ts";
import type { Source } from "./selection/source.ts";

/** Holders that are asked, and as many other peers. */
const MAX_ASKED = 4;
/** How long all of it may take, ms. */
const LIMIT_MS = 600;
/** Longer lists are refused, bytes. */
const MAX_LIST_BYTES = 1024 * 1024;

/** What {@link askLists} works with. */
export interface AskListsCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly searches: Searches;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/**
 * Asks peers for lists of tags or of referrers. Rejects only with the signal's reason, when that
 * aborts.
 */
export async function askLists(
  { searches, clock, log, closing }: AskListsCollaborators,
  request: ListRequest,
  { signal }: Cancellable,
): Promise<readonly PeerList[]> {
  signal.throwIfAborted();
  const lists = new Map<string, PeerList>();
  const begun = searches.beginLists(request);
  const life = link(signal, closing);
  try {
    const asking = begun.flatMap((search) =>
      Array.from({ length: MAX_ASKED }, () => ask(search, request, life.signal, lists))
    );
    const limit = clock.sleep(LIMIT_MS, life);
    const settled = Promise.allSettled(asking).then((results) => {
      if (life.signal.aborted) return;
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        log.debug("a list of a peer broke off", { error: result.reason });
      }
    });
    // Late peers are aborted, and not waited for.
    await Promise.race([settled, limit]).catch(() => {});
    signal.throwIfAborted();
    return [...lists.values()];
  } finally {
    life.abort();
    for (const search of begun) search.close();
  }
}

async function ask(
  search: Search,
  request: ListRequest,
  signal: AbortSignal,
  lists: Map<string, PeerList>,
): Promise<void> {
  const source = await search.openNext({
    path: formatListing(request, request),
    method: "GET",
    // The peer names the digest of its list, of which it may have to prove that it is its own.
    digest: undefined,
    maxBytes: MAX_LIST_BYTES,
    openOnly: request.openOnly,
    // A list takes longer than content. Whoever is too late for it may be quick with that.
    answerMs: 2 * LIMIT_MS,
  }, signal);
  if (source === undefined) return;
  const content = await readList(source, signal);
  if (content === undefined) return;
  const entries = parseEntries(request.kind, content);
  if (entries === undefined) return;
  lists.set(source.peer.id, { entries: entries.slice(0, request.n), more: source.goesOn });
}

/** Undefined if it is not what the peer said that it is. */
async function readList(source: Source, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const close = () => source.close();
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  try {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let piece = await source.read(); piece !== undefined; piece = await source.read()) {
      pieces.push(piece);
    }
    const content = joinBytes(pieces);
    return hasDigest(content, source.descriptor.digest) ? content : undefined;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
