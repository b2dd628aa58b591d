import type { PeerId, PeerInfo } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Peer } from "../../ports/router.ts";
import type { DhtKey } from "../dht/dht_key.ts";
import type { PeerMapper } from "../peers/peer_mapper.ts";

/** Number of holders in own records that makes queries unnecessary. */
const ENOUGH = 3;
/** Maximum holders yielded by one search. */
const MAX_FOUND = 20;

/** The search that a DHT walk reports to. */
export interface HolderSink extends Cancellable {
  /** Called with a holder. */
  readonly found: (peer: PeerInfo) => void;
  /** Tells whether there are enough holders. */
  readonly enough: () => boolean;
}

/** Sources of holders. */
export interface LookupSources {
  /** Providers of a key in this node's own records. */
  own(key: DhtKey): readonly PeerInfo[];
  /** Asks the nearest peers until there are enough holders, or all have answered. */
  ask(key: DhtKey, seeker: HolderSink): Promise<void>;
}

export interface LookupCollaborators extends Runtime {
  readonly self: PeerId;
  readonly sources: LookupSources;
  readonly toPeer: PeerMapper;
  /** Tells whether a peer is known to be dead. */
  readonly isDown: (id: string) => boolean;
  /** Tells whether a peer is dead or suspect. */
  readonly isDoubtful: (id: string) => boolean;
}

export interface LookupOptions {
  /** Deadline of a search, ms. */
  readonly lookupTimeoutMs: number;
}

/** One search for the holders of a key, shared by any number of callers. */
export class LookupSearch {
  readonly found: Peer[] = [];
  readonly #collaborators: LookupCollaborators;
  readonly #options: LookupOptions;
  readonly #seen = new Set<string>();
  #done = false;
  #exhausted = false;
  #changed = Promise.withResolvers<void>();

  constructor(collaborators: LookupCollaborators, options: LookupOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#seen.add(collaborators.self.toString());
  }

  /** True if there are so many holders that further ones do not matter. */
  get enough(): boolean {
    return this.found.length >= ENOUGH;
  }

  /** True if all sources have answered, rather than failed. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /**
   * Reads own records, then asks the nearest peers. It continues without callers: it is short, and
   * others ask for the same key.
   */
  async run(key: DhtKey, options: Cancellable): Promise<void> {
    const { clock, sources } = this.#collaborators;
    const start = clock.now();
    const add = (info: PeerInfo) => this.#add(info, start);
    const enough = () => this.enough;
    using limit = deadline(this.#options.lookupTimeoutMs, options);
    try {
      for (const info of sources.own(key)) add(info);
      if (!enough()) await sources.ask(key, { found: add, enough, signal: limit.signal });
      this.#exhausted = true;
    } finally {
      this.#done = true;
      this.#notify();
    }
  }

  /** Yields all holders, including those already found. */
  async *follow({ signal }: Cancellable): AsyncGenerator<Peer, void, undefined> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
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
