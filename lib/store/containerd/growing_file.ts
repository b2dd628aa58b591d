import type { ByteRange } from "../../oci/range.ts";
import type { Clock } from "../../ports/clock.ts";

/** Read size, see file_stream.ts. */
const CHUNK_BYTES = 256 * 1024;
/** Shortest delay before a file without new bytes is polled again. */
const POLL_MS = 5;
/** Longest such delay; it grows while there are no new bytes. */
const MAX_POLL_MS = 100;
/**
 * A file grows in steps of up to 1 MiB. The first delay is this share of the last step's time: a
 * poll costs about as much as sending a hundred kilobytes.
 */
const SHARE_OF_STEP = 0.75;
/** A file that does not grow for this long is given up. */
const STANDSTILL_MS = 10_000;
/** Unit of `st_blocks`, whatever the file system's block size (stat(2)). */
const BLOCK_BYTES = 512;
/** Small files may be stored in the inode, without a block. */
const UNALLOCATED_BYTES = 4096;

/** The used part of Deno.FsFile. */
export interface FollowedFile {
  stat(): Promise<Pick<Deno.FileInfo, "size" | "nlink" | "blocks">>;
  seek(offset: number, whence: Deno.SeekMode): Promise<number>;
  read(buffer: Uint8Array): Promise<number | null>;
  close(): void;
}

export interface GrowingFile {
  /** At any position; owned by the stream. */
  readonly file: FollowedFile;
  /** Its final size, bytes. */
  readonly size: number;
  /** Opens the completed file once this one has left its directory; undefined if it was removed. */
  readonly successor: () => Promise<FollowedFile | undefined>;
  readonly clock: Clock;
}

/**
 * Streams a part of a file that another process is still appending to. It errors if the file is
 * removed, shrinks, has holes or stops growing: a truncated body must never look complete.
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
  /** Time of the last observed growth, and duration since the one before. */
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

  /** Reads at least one byte from `offset` on, none from `end` on. */
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
    // A writer that writes out of order leaves holes, which read as zeros.
    if (blocks !== null && blocks * BLOCK_BYTES + UNALLOCATED_BYTES < size) {
      throw new Error("is written out of order");
    }
    this.#length = size;
    if (nlink !== 0 || this.#succeeded || size >= this.#size) return;
    // Another writer completed the same content, or the transfer was aborted.
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
