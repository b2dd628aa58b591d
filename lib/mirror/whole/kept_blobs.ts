import { type Link, link } from "../../async/link.ts";
import type { Clock } from "../../ports/clock.ts";
import { Held } from "./held.ts";
import type { WholeBlob } from "./shared_blobs.ts";

/** How long a blob is kept after its last use, ms. */
const KEPT_MS = 10_000;
/** Bound of the small ones, which do not count against the memory budget. */
const MAX_KEPT = 16;

interface Entry {
  readonly blob: WholeBlob;
  /** Ends the wait for its expiry. */
  readonly life: Link;
  usedAt: number;
}

/** What {@link KeptBlobs} work with. */
export interface KeptBlobsCollaborators {
  readonly clock: Clock;
  /** Aborts when the mirror is closed. */
  readonly closing: AbortSignal;
}

/**
 * Keeps verified blobs for a while that clients ask for in parts. A client that does so asks for
 * many parts one after the other (zstd:chunked, eStargz, SOCI): for each of them, all of the blob
 * would be fetched anew.
 */
export class KeptBlobs {
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  /** The one that was used last is the last. */
  readonly #entries = new Map<string, Entry>();

  constructor({ clock, closing }: KeptBlobsCollaborators) {
    this.#clock = clock;
    this.#closing = closing;
  }

  /**
   * A blob for another reader, which must read or decline it.
   *
   * @param path names its repository, too: whoever may have it there may not have it elsewhere.
   */
  get(path: string): WholeBlob | undefined {
    const entry = this.#entries.get(path);
    if (entry === undefined) return undefined;
    entry.usedAt = this.#clock.now();
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    return shared(entry.blob);
  }

  /**
   * Keeps a blob of which nothing has been read. One that everybody may have takes the place of one
   * that a peer says is private, which is of no use to those whose right is not known.
   */
  put(path: string, blob: WholeBlob): void {
    const before = this.#entries.get(path);
    if (this.#closing.aborted || (before && (!before.blob.isPrivate || blob.isPrivate))) return;
    if (before !== undefined) this.#drop(path, before);
    if (this.#entries.size >= MAX_KEPT) this.dropOldest();
    const life = link(this.#closing);
    const entry = { blob: shared(blob), life, usedAt: this.#clock.now() };
    this.#entries.set(path, entry);
    this.#untilUnused(entry).catch(() => {}).finally(() => this.#drop(path, entry));
  }

  /** Drops the one that was not used for the longest time; false if there is none. */
  dropOldest(): boolean {
    const [oldest] = this.#entries;
    if (oldest !== undefined) this.#drop(...oldest);
    return oldest !== undefined;
  }

  async #untilUnused(entry: Entry): Promise<void> {
    for (let leftMs = KEPT_MS; leftMs > 0; leftMs = entry.usedAt + KEPT_MS - this.#clock.now()) {
      await this.#clock.sleep(leftMs, entry.life);
    }
  }

  #drop(path: string, entry: Entry): void {
    if (this.#entries.get(path) !== entry) return;
    this.#entries.delete(path);
    entry.life.abort();
    if (entry.blob instanceof Held) entry.blob.decline();
  }
}

function shared(blob: WholeBlob): WholeBlob {
  if (blob instanceof Held) blob.addReader();
  return blob;
}
