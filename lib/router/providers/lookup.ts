import { LRUCache } from "lru-cache";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Peer } from "../../ports/router.ts";
import type { DhtKey } from "../dht/dht_key.ts";
import { type LookupCollaborators, type LookupOptions, LookupSearch } from "./lookup_search.ts";

/** How long an answer is used again. */
const FOUND_FOR_MS = 5000;
/** How long one with few holders is: what is new spreads, and those few should not serve all. */
const FEW_FOR_MS = 1000;
/** How long "nobody" is used again: long enough for a burst of requests for one image. */
const NOTHING_FOR_MS = 250;
/** Keys whose answers are remembered. */
const MAX_REMEMBERED = 10_000;

interface Remembered {
  readonly search: LookupSearch;
  /** Clock time; Infinity while the search runs. */
  until: number;
  /** Clock time of the search's end; Infinity while it runs. */
  since: number;
}

/** Finds who holds a key: one search for all that ask at the same time, remembered briefly. */
export class Lookup {
  readonly #collaborators: LookupCollaborators;
  readonly #options: LookupOptions;
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });
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

  /** Begins a search that whoever asks in a moment follows; what comes of it is remembered. */
  begin(key: DhtKey): void {
    if (!this.#stop.signal.aborted) this.#searchFor(key);
  }

  /** Ends all searches. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    this.#remembered.clear();
  }

  #searchFor(key: DhtKey): LookupSearch {
    const { clock, log } = this.#collaborators;
    const remembered = this.#remembered.get(key.id);
    if (remembered !== undefined && remembered.until > clock.now() && !this.#isStale(remembered)) {
      return remembered.search;
    }
    const search = new LookupSearch(this.#collaborators, this.#options);
    const entry = { search, until: Infinity, since: Infinity };
    this.#remembered.set(key.id, entry);
    search.run(key, this.#stop).catch((error) => {
      log.warn("looking for the holders of a key failed", { error });
    }).finally(() => {
      entry.since = clock.now();
      entry.until = search.exhausted ? clock.now() + lifeOf(search) : -Infinity;
    });
    return search;
  }

  /** Nobody who was found answers any more: others may have got it since. */
  #isStale({ search: { found }, since }: Remembered): boolean {
    const { clock, isDoubtful } = this.#collaborators;
    return found.length > 0 && clock.now() - since >= NOTHING_FOR_MS &&
      found.every(({ id }) => isDoubtful(id));
  }
}

function lifeOf({ found, enough }: LookupSearch): number {
  if (found.length === 0) return NOTHING_FOR_MS;
  return enough ? FOUND_FOR_MS : FEW_FOR_MS;
}
