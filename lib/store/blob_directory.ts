import { join } from "node:path";
import { type Digest, splitDigest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import { fileStream } from "./file_stream.ts";

/**
 * Files below `blobs/<algorithm>/<hex>`, the layout shared by OCI image layouts (image
 * specification, "Image Layout") and containerd's local content store. Both add a blob by renaming
 * a complete file, so every file is complete.
 */
export class BlobDirectory {
  readonly #root: string;
  #usable = false;

  /** @param root directory of `blobs/`, which may not exist yet. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Path of a blob, present or not. */
  path(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#root, "blobs", algorithm, hex);
  }

  /**
   * Tells whether `blobs/` is readable, so that a missing file means missing content. Cached once
   * true. containerd makes `ingest/` at its start and `blobs/` with the first blob, so `ingest/`
   * alone means an empty store.
   */
  async usable(): Promise<boolean> {
    this.#usable ||= await isDirectory(join(this.#root, "blobs")) ||
      await isDirectory(join(this.#root, "ingest"));
    return this.#usable;
  }

  /**
   * Changes whenever a blob is added or removed; undefined if `blobs/` is not readable. Much
   * cheaper than a listing.
   */
  async stamp(): Promise<string | undefined> {
    if (!await this.usable()) return undefined;
    const directories = ["sha256", "sha512"].map((name) => join(this.#root, "blobs", name));
    return (await Promise.all(directories.map(directoryStamp))).join(" ");
  }

  /** Changes when a blob is rewritten; undefined if it is missing or not readable. */
  async stampOf(digest: Digest): Promise<string | undefined> {
    try {
      const { ino, size, mtime } = await Deno.stat(this.path(digest));
      return `${ino}:${size}:${mtime?.getTime()}`;
    } catch (error) {
      return absent(error);
    }
  }

  /** Size of a blob in bytes; undefined if it is missing or not readable. */
  async size(digest: Digest): Promise<number | undefined> {
    try {
      const info = await Deno.stat(this.path(digest));
      return info.isFile ? info.size : undefined;
    } catch (error) {
      return absent(error);
    }
  }

  /** Reads a whole blob; undefined if it is missing, not readable or larger than `maxBytes`. */
  async read(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const size = await this.size(digest);
    if (size === undefined || size > maxBytes) return undefined;
    try {
      return await Deno.readFile(this.path(digest));
    } catch (error) {
      return absent(error);
    }
  }

  /**
   * Streams a blob; undefined if it is missing or not readable.
   *
   * @param size the blob's known size, bytes.
   * @param range part to send; default: all of it.
   */
  async open(
    digest: Digest,
    size: number,
    range?: ByteRange,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    try {
      const file = await Deno.open(this.path(digest));
      return fileStream(file, range ?? { start: 0, end: size - 1 });
    } catch (error) {
      return absent(error);
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    return absent(error) ?? false;
  }
}

async function directoryStamp(path: string): Promise<string> {
  try {
    const { ino, mtime } = await Deno.stat(path);
    return `${ino}:${mtime?.getTime()}`;
  } catch (error) {
    return absent(error) ?? "-";
  }
}

/** A missing or unreadable file is an answer; any other error is a disk failure. */
function absent(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return;
  }
  throw error;
}
