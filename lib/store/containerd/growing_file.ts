import type { ByteRange } from "../../oci/range.ts";
import type { Clock } from "../../ports/clock.ts";

/** Read size, see file_stream.ts. */
const CHUNK_BYTES = 256 * 1024;
/** Shortest pause before a file that has nothing new is looked at again. */
const POLL_MS = 5;
/** The longer it has had nothing new, the longer the pauses, up to this one. */
const MAX_POLL_MS = 100;
/**
 * A file grows in steps of up to 1 MiB. So much of the time that the last one took is waited for at
 * once: each look costs about as much as to send a hundred kilobytes.
 */
const SHARE_OF_STEP = 0.75;
/** A file that does not grow for so long is given up. */
const STANDSTILL_MS = 10_000;
/** `st_blocks` counts these, whatever the file system's own blocks are (stat(2)). */
const BLOCK_BYTES = 512;
/** Small files may be kept in the inode, without a block. */
const UNALLOCATED_BYTES = 4096;

/** A file that somebody else writes; what is needed of Deno.FsFile. */
export interface FollowedFile {
  stat(): Promise<Pick<Deno.FileInfo, "size" | "nlink" | "blocks">>;
  seek(offset: number, whence: Deno.SeekMode): Promise<number>;
  read(buffer: Uint8Array): Promise<number | null>;
  close(): void;
}

/** What a {@link growingFileStream} works with. */
export interface GrowingFile {
  /** Positioned anywhere; owned by the stream. */
  readonly file: FollowedFile;
  /** Bytes that it will have. */
  readonly size: number;
  /**
   * Opens what has become of the file once it is no longer in its directory; undefined if it was
   * removed.
   */
  readonly successor: () => Promise<FollowedFile | undefined>;
  readonly clock: Clock;
}

/**
 * Streams a part of a file that somebody else is still appending to, as it grows. It errors when the
 * file is removed, becomes shorter, has holes or stands still: a truncated body must never look
 * complete.
 *
 * @param range bytes to send, both ends included.
 */
export function growingFileStream(
  { file, size, successor, clock }: GrowingFile,
  range: ByteRange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new GrowingFileReader(file, size, successor, clock);
  const closing = new AbortController();
  let offset = range.start;
  return new ReadableStream({
    async pull(controller) {
      try {
        const chunk = await reader.read(offset, range.end + 1, closing.signal);
        if (closing.signal.aborted) return;
        offset += chunk.length;
        controller.enqueue(chunk);
        if (offset <= range.end) return;
        reader.close();
        controller.close();
      } catch (error) {
        reader.close();
        if (!closing.signal.aborted) controller.error(error);
      }
    },
    cancel() {
      closing.abort(new DOMException("stream was cancelled", "AbortError"));
      reader.close();
    },
  }, { highWaterMark: 0 });
}

/** Reads a file behind its writer. */
class GrowingFileReader {
  #file: FollowedFile;
  readonly #size: number;
  readonly #successor: () => Promise<FollowedFile | undefined>;
  readonly #clock: Clock;
  #length = 0;
  /** Time of the last growth that was seen, and from that before to it. */
  #grewAt: number | undefined;
  #stepMs = 0;
  #position = -1;
  #succeeded = false;
  #closed = false;

  constructor(
    file: FollowedFile,
    size: number,
    successor: () => Promise<FollowedFile | undefined>,
    clock: Clock,
  ) {
    this.#file = file;
    this.#size = size;
    this.#successor = successor;
    this.#clock = clock;
  }

  /** At least one byte from `offset` on, none from `end` on. */
  async read(offset: number, end: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    let since = this.#clock.now();
    while (offset >= this.#length) {
      const known = this.#length;
      await this.#look();
      const now = this.#clock.now();
      if (this.#length > known) this.#grew(since = now);
      if (offset < this.#length) break;
      if (now - since >= STANDSTILL_MS) {
        throw new Error(`stands still at ${this.#length} of ${this.#size} bytes`);
      }
      await this.#clock.sleep(this.#pauseMs(now, since), { signal });
    }
    const wanted = Math.min(CHUNK_BYTES, end - offset, this.#length - offset);
    if (this.#position !== offset) await this.#file.seek(offset, Deno.SeekMode.Start);
    const chunk = new Uint8Array(wanted);
    const read = await this.#file.read(chunk);
    if (read === null) throw new Error(`became shorter than ${offset} bytes`);
    this.#position = offset + read;
    return read === wanted ? chunk : chunk.subarray(0, read);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  #grew(now: number): void {
    this.#stepMs = now - (this.#grewAt ?? now);
    this.#grewAt = now;
  }

  #pauseMs(now: number, since: number): number {
    const leftMs = (this.#grewAt ?? now) + this.#stepMs - now;
    const pauseMs = leftMs > 0 ? SHARE_OF_STEP * leftMs : (now - since) / 8;
    return Math.min(MAX_POLL_MS, Math.max(POLL_MS, pauseMs));
  }

  async #look(): Promise<void> {
    const { size, nlink, blocks } = await this.#file.stat();
    if (size < this.#length) {
      throw new Error(`began anew at ${this.#length} of ${this.#size} bytes`);
    }
    if (size > this.#size) throw new Error(`has more than its ${this.#size} bytes`);
    // Whoever writes pieces out of order leaves holes, whose bytes read as zeros.
    if (blocks !== null && blocks * BLOCK_BYTES + UNALLOCATED_BYTES < size) {
      throw new Error("is written out of order");
    }
    this.#length = size;
    if (nlink !== 0 || this.#succeeded || size >= this.#size) return;
    // The same content was completed by somebody else, or the transfer was given up.
    const successor = await this.#successor();
    if (successor === undefined) throw new Error(`given up at ${size} of ${this.#size} bytes`);
    if (this.#closed) return successor.close();
    this.#file.close();
    this.#file = successor;
    this.#succeeded = true;
    this.#position = -1;
    const { size: whole } = await successor.stat();
    if (whole !== this.#size) throw new Error(`became ${whole} instead of ${this.#size} bytes`);
    this.#length = whole;
  }
}
