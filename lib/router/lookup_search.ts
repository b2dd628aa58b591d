import type { PeerId, PeerInfo } from "@libp2p/interface";
import { deadline } from "../async/deadline.ts";
import type { Cancellable, Clock, Log, Metrics, Peer } from "../ports.ts";
import type { DhtKey } from "./dht_key.ts";
import type { PeerMapper } from "./peer_mapper.ts";

/** With so many holders known from own records, nobody else is asked. */
const ENOUGH = 3;
/** Holders that one search yields at most. */
const MAX_FOUND = 20;

/** Where a search looks. */
export interface LookupSources {
  /** Providers of a key that this node keeps records of. */
  own(key: DhtKey): Promise<PeerInfo[]>;
  /** Asks the nearest known peers directly. `complete` if there is nobody else to ask. */
  direct(
    key: DhtKey,
    found: (peer: PeerInfo) => void,
    options: Cancellable,
  ): Promise<{ readonly complete: boolean }>;
  /** Walks the DHT. */
  iterate(key: DhtKey, options: Cancellable): AsyncIterable<PeerInfo>;
}

/** Collaborators of a {@link Lookup}. */
export interface LookupCollaborators {
  readonly self: PeerId;
  readonly sources: LookupSources;
  readonly toPeer: PeerMapper;
  /** Tells whether a peer is known to be dead. */
  readonly isDown: (id: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Settings of a {@link Lookup}. */
export interface LookupOptions {
  /** How long one search may take, ms. */
  readonly lookupTimeoutMs: number;
}

/** One search for the holders of a key, which any number of callers follow. */
export class LookupSearch {
  readonly found: Peer[] = [];
  readonly #collaborators: LookupCollaborators;
  readonly #options: LookupOptions;
  readonly #seen = new Set<string>();
  /** Aborts when nobody follows any more. */
  readonly #abandoned = new AbortController();
  #followers = 0;
  #done = false;
  #exhausted = false;
  #changed = Promise.withResolvers<void>();

  constructor(collaborators: LookupCollaborators, options: LookupOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#seen.add(collaborators.self.toString());
  }

  /** True once nothing more will be found. */
  get done(): boolean {
    return this.#done;
  }

  /** True if it ended by itself, rather than because it was abandoned. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /**
   * Looks into own records, then asks the nearest peers, then, if there is still nothing, walks the
   * DHT as long as somebody follows.
   */
  async run(key: DhtKey, options: Cancellable): Promise<void> {
    const { clock, sources } = this.#collaborators;
    const start = clock.now();
    const add = (info: PeerInfo) => this.#add(info, start);
    using limit = deadline(this.#options.lookupTimeoutMs, options);
    try {
      for (const info of await sources.own(key)) add(info);
      if (this.found.length < ENOUGH) {
        const { complete } = await sources.direct(key, add, limit);
        if (this.found.length === 0 && !complete) await this.#iterate(key, add, limit);
      }
      this.#exhausted = !this.#abandoned.signal.aborted;
    } finally {
      this.#done = true;
      this.#notify();
    }
  }

  /** Yields what is found, from the beginning. */
  async *follow({ signal }: Cancellable): AsyncGenerator<Peer, void, undefined> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#followers++;
    try {
      for (let next = 0;;) {
        if (signal.aborted) return;
        const peer = this.found[next];
        if (peer !== undefined) {
          next++;
          yield peer;
        } else if (this.#done) return;
        else await Promise.race([this.#changed.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (--this.#followers === 0 && !this.#done) this.#abandoned.abort();
    }
  }

  async #iterate(
    key: DhtKey,
    add: (info: PeerInfo) => void,
    limit: Cancellable,
  ): Promise<void> {
    if (this.#followers === 0) return this.#abandoned.abort();
    const signal = AbortSignal.any([limit.signal, this.#abandoned.signal]);
    try {
      for await (const info of this.#collaborators.sources.iterate(key, { signal })) {
        add(info);
        if (this.found.length >= MAX_FOUND) break;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #add(info: PeerInfo, start: number): void {
    const name = info.id.toString();
    if (this.#seen.has(name) || this.found.length >= MAX_FOUND) return;
    const mapped = this.#collaborators.toPeer(info);
    if (mapped === undefined) return;
    this.#seen.add(name);
    if (this.#collaborators.isDown(name)) return;
    const { clock, metrics } = this.#collaborators;
    if (this.found.length === 0) metrics.resolveDuration(clock.now() - start);
    this.found.push(mapped.peer);
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
