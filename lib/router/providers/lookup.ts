import { LRUCache } from "lru-cache";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Peer } from "../../ports/router.ts";
import type { DhtKey } from "../dht/dht_key.ts";
import { type LookupCollaborators, type LookupOptions, LookupSearch } from "./lookup_search.ts";

/** Lifetime of a cached result, ms. */
const FOUND_FOR_MS = 5000;
/**
 * Lifetime of a result with few holders, ms: new content spreads, and those few should not serve
 * all.
 */
const FEW_FOR_MS = 1000;
/** Lifetime of an empty result, ms: enough for a burst of requests for one image. */
const NOTHING_FOR_MS = 250;
/** Cached keys. */
const MAX_REMEMBERED = 10_000;

interface CachedSearch {
  readonly search: LookupSearch;
  /** Expiry by the clock; Infinity while the search runs. */
  until: number;
  /** End of the search by the clock; Infinity while it runs. */
  since: number;
}

/** Finds the holders of a key: one search for all concurrent callers, cached briefly. */
export class Lookup {
  readonly #collaborators: LookupCollaborators;
  readonly #options: LookupOptions;
  readonly #cached = new LRUCache<string, CachedSearch>({ max: MAX_REMEMBERED });
  readonly #stop = new AbortController();

  constructor(collaborators: LookupCollaborators, options: LookupOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Yields peers as they are found, each once; ends without an error when the signal aborts. */
  async *find(key: DhtKey, options: Cancellable): AsyncGenerator<Peer, void, undefined> {
    if (options.signal.aborted || this.#stop.signal.aborted) return;
    const search = this.#searchFor(key);
    for await (const peer of search.follow(options)) {
      if (!this.#collaborators.isDown(peer.id)) yield peer;
    }
  }

  /** Starts a search ahead of the callers that follow it; its result is cached. */
  begin(key: DhtKey): void {
    if (!this.#stop.signal.aborted) this.#searchFor(key);
  }

  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    this.#cached.clear();
  }

  #searchFor(key: DhtKey): LookupSearch {
    const { clock, log } = this.#collaborators;
    const cached = this.#cached.get(key.id);
    if (cached !== undefined && cached.until > clock.now() && !this.#isStale(cached)) {
      return cached.search;
    }
    const search = new LookupSearch(this.#collaborators, this.#options);
    const entry = { search, until: Infinity, since: Infinity };
    this.#cached.set(key.id, entry);
    search.run(key, this.#stop).catch((error) => {
      log.warn("looking for the holders of a key failed", { error });
    }).finally(() => {
      entry.since = clock.now();
      entry.until = search.exhausted ? clock.now() + lifeOf(search) : -Infinity;
    });
    return search;
  }

  /** None of the holders answers any more: others may have got the content since. */
  #isStale({ search: { found }, since }: CachedSearch): boolean {
    const { clock, isDoubtful } = this.#collaborators;
    return found.length > 0 && clock.now() - since >= NOTHING_FOR_MS &&
      found.every(({ id }) => isDoubtful(id));
  }
}

function lifeOf({ found, enough }: LookupSearch): number {
  if (found.length === 0) return NOTHING_FOR_MS;
  return enough ? FOUND_FOR_MS : FEW_FOR_MS;
}
