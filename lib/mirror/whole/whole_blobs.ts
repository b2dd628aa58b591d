import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import { type Link, link } from "../../async/link.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Wanted } from "../http/answer.ts";
import type { MirrorOptions } from "../options.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { PenaltyBox } from "../selection/penalty_box.ts";
import type { Tainted } from "../transfer/tainted.ts";
import type { Search } from "../selection/search.ts";
import type { Source } from "../selection/source.ts";
import { ChunkList, SlabList } from "../memory/content_memory.ts";
import { MemoryBudget, type Room } from "../memory/memory_budget.ts";
import { SLAB_BYTES, Slabs } from "../memory/slabs.ts";
import { KeptBlobs } from "./kept_blobs.ts";
import type { WholeBlob } from "./shared_blobs.ts";
import type { CreateWholeReader, WholeContent, WholeReader } from "./whole_reader.ts";

/**
 * The most contents that are remembered because they arrived too slowly to be held back, and for
 * how long, ms.
 */
const MAX_SLOW = 1000;
const SLOW_MS = 10 * 60_000;
/** How long a body of a proven peer waits for memory, ms. */
const KNOWN_WAIT_MS = 250;
/** Small blobs do not count against the budget. */
const UNCOUNTED: Room = { give: () => {}, close: () => {} };

/** Memory for a blob, and its share of the budget. */
export interface Place {
  readonly memory: ChunkList | SlabList;
  readonly room: Room;
}

/**
 * What to do with a peer's answer: get all of it and verify it before any of it is passed on;
 * stream it; or leave it to upstream.
 */
export type Plan = "whole" | "stream" | "leave";

/** The request that a {@link Hold} is for. */
export interface HoldInit extends Cancellable {
  readonly search: Search;
  /** Without a range. */
  readonly wanted: Wanted;
  /** The client's address. */
  readonly client: string;
}

/** What {@link WholeBlobs} work with. */
export interface WholeBlobsCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly createReader: CreateWholeReader;
  readonly tainted: Tainted;
  readonly penalties: Pick<PenaltyBox, "suspicion">;
  /** Whether peers can prove who they are: by a key, or by certificates. */
  readonly provesPeers: boolean;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/**
 * Decides which blobs are verified whole before they are passed on, and lends the memory for that.
 */
export class WholeBlobs {
  readonly #collaborators: WholeBlobsCollaborators;
  readonly #options: MirrorOptions;
  readonly #budget: MemoryBudget;
  readonly #kept: KeptBlobs;
  readonly #slabs: Slabs;
  readonly #slow: LRUCache<Digest, true>;

  constructor(collaborators: WholeBlobsCollaborators, options: MirrorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    const { clock, closing } = collaborators;
    this.#slow = expiringCache(clock, { max: MAX_SLOW, ttlMs: SLOW_MS });
    this.#kept = new KeptBlobs({ clock, closing });
    this.#budget = new MemoryBudget(clock, {
      totalBytes: options.verifyWholeTotalBytes,
      spare: () => this.#kept.dropOldest(),
    });
    this.#slabs = new Slabs(clock);
    closing.addEventListener("abort", () => {
      while (this.#kept.dropOldest());
      this.#slabs.close();
    }, { once: true });
  }

  /** The sizes from which on a blob is streamed, so that its sender matters. */
  get large(): Pick<Wanted, "knownFrom" | "largeFrom"> {
    const { verify, smallBlobBytes } = this.#options;
    const largeFrom = 1 + (verify ? this.#limitBytes : smallBlobBytes);
    const knownFrom = this.#collaborators.provesPeers ? largeFrom : undefined;
    return { largeFrom, knownFrom };
  }

  /** A blob that a client asked for in parts a moment ago; it must be read or declined. */
  kept({ path }: Wanted): WholeBlob | undefined {
    return this.#kept.get(path);
  }

  /** Keeps a blob, of which nothing has been read, for further parts of it, if there is room. */
  keep({ path }: Wanted, blob: WholeBlob): void {
    if (!this.#budget.isShort) this.#kept.put(path, blob);
  }

  plan(source: Source, { range }: Wanted): Plan {
    const { descriptor: { digest, size }, part, arriving, isParent, isProven } = source;
    const { verify, smallBlobBytes } = this.#options;
    const { provesPeers, tainted, penalties } = this.#collaborators;
    const isPart = range !== undefined;
    if (!verify) return !isPart && size <= smallBlobBytes ? "whole" : "stream";
    if (size <= smallBlobBytes) return "whole";
    const isSuspect = !isProven && penalties.suspicion(source) > 0;
    // As after a part that could not be verified: if it does not fit into memory, it is left to
    // upstream first.
    if (isSuspect && size > this.#limitBytes) tainted.addSuspect(digest);
    const isDoubtful = isSuspect || tainted.has(digest, isPart ? part.start : undefined);
    // In a chain of nodes that follow each other, each would wait until the one before has all of
    // it.
    const isRelayed = arriving && isParent && (isProven || !provesPeers);
    if (isRelayed && !isDoubtful) return "stream";
    const fits = isDoubtful ? bytesFor(size) <= this.#budget.totalBytes : size <= this.#limitBytes;
    if (fits && !this.#slow.has(digest)) return "whole";
    return isDoubtful && tainted.isUpstreamsTurn(digest, isPart) ? "leave" : "stream";
  }

  /** Begins a hold for one request. It is to be disposed of when there is an answer. */
  begin(init: HoldInit): Hold {
    const { createReader, clock, log, closing } = this.#collaborators;
    const tooSlow = (digest: Digest) => void this.#slow.set(digest, true);
    const [budget, slabs] = [this.#budget, this.#slabs];
    return new Hold(
      { createReader, budget, slabs, tooSlow, clock, log, closing },
      this.#options,
      init,
    );
  }

  get #limitBytes(): number {
    const { totalBytes } = this.#budget;
    return Math.min(this.#options.verifyWholeBytes, totalBytes - totalBytes % SLAB_BYTES);
  }
}

/** What a {@link Hold} works with. */
export interface HoldCollaborators
  extends Pick<WholeBlobsCollaborators, "createReader" | "clock" | "log" | "closing"> {
  readonly budget: MemoryBudget;
  readonly slabs: Slabs;
  /** Told of content that did not arrive in time. */
  readonly tooSlow: (digest: Digest) => void;
}

/** Gets all of a blob for one request, within limits of time and memory. */
export class Hold implements Disposable {
  readonly #collaborators: HoldCollaborators;
  readonly #options: MirrorOptions;
  readonly #init: HoldInit;
  readonly #reader: WholeReader;
  #limit: Link | undefined;
  #late = false;

  constructor(collaborators: HoldCollaborators, options: MirrorOptions, init: HoldInit) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#init = init;
    const { search, wanted: { openOnly = false } } = init;
    this.#reader = collaborators.createReader({ search, openOnly });
  }

  /** Whether another peer's answer may be tried. */
  get goesOn(): boolean {
    return this.#reader.goesOn && !this.#late;
  }

  /** Whether the time is up. */
  get isLate(): boolean {
    return this.#late;
  }

  /** An answer that was streamed failed. */
  failed(): void {
    this.#reader.failed();
  }

  /**
   * Memory for a blob that a peer offers; undefined if there is none in time.
   *
   * @throws the signal's reason when it aborts.
   */
  async room({ descriptor: { size }, isProven }: Source): Promise<Place | undefined> {
    const { budget, slabs } = this.#collaborators;
    const options = this.#options;
    if (size <= options.smallBlobBytes) return { memory: new ChunkList(), room: UNCOUNTED };
    const { client: flow, signal } = this.#init;
    const waitMs = isProven ? KNOWN_WAIT_MS : options.verifyWholeWaitMs;
    const room = await budget.take(bytesFor(size), { flow, waitMs, signal });
    return room && { memory: new SlabList(slabs), room };
  }

  /**
   * Gets all of the blob, also if the peer's answer is a part of it; undefined if the content
   * cannot be used.
   *
   * @throws the signal's reason when it aborts.
   */
  async read(source: Source, { memory }: Place): Promise<WholeContent | undefined> {
    const { search, wanted, signal } = this.#init;
    const options = this.#options;
    const { digest, size } = source.descriptor;
    const limit = this.#begin();
    try {
      const isWhole = source.part.start === 0 && source.part.end === size;
      if (!isWhole) source.close();
      const first = isWhole
        ? source
        : await search.openAt(source.peer, { ...wanted, size }, limit.signal);
      if (first === undefined) this.#reader.failed();
      return first && await this.#reader.read(first, {
        path: wanted.path,
        memory,
        signal: limit.signal,
        minBytesPerSecond: Math.max(
          options.minBytesPerSecond,
          size * 1000 / options.verifyWholeMs,
        ),
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!this.#late) throw error;
      this.#collaborators.tooSlow(digest);
      this.#collaborators.log.warn("a blob came too slowly to be verified before it is passed on", {
        digest,
        size,
        limitMs: options.verifyWholeMs,
      });
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#limit?.abort();
  }

  /** The time begins with the first byte that is held back. */
  #begin(): Link {
    if (this.#limit !== undefined) return this.#limit;
    const { clock, closing } = this.#collaborators;
    const { verifyWholeMs } = this.#options;
    const limit = link(this.#init.signal, closing);
    this.#limit = limit;
    clock.sleep(verifyWholeMs, limit).then(() => {
      this.#late = true;
      limit.abort(new DOMException(`not whole within ${verifyWholeMs} ms`, "TimeoutError"));
    }, () => {});
    return limit;
  }
}

/** The memory that a blob takes, in whole slabs. */
function bytesFor(size: number): number {
  return SLAB_BYTES * Math.ceil(size / SLAB_BYTES);
}
