import { join } from "node:path";
import { fileStamp } from "../files/file_stamp.ts";
import { ifReadable } from "../files/if_present.ts";
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
    return await ifReadable(fileStamp(this.path(digest)));
  }

  /** Size of a blob in bytes; undefined if it is missing or not readable. */
  async size(digest: Digest): Promise<number | undefined> {
    const info = await ifReadable(Deno.stat(this.path(digest)));
    return info?.isFile ? info.size : undefined;
  }

  /** Reads a whole blob; undefined if it is missing, not readable or larger than `maxBytes`. */
  async read(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const size = await this.size(digest);
    if (size === undefined || size > maxBytes) return undefined;
    return await ifReadable(Deno.readFile(this.path(digest)));
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
    const file = await ifReadable(Deno.open(this.path(digest)));
    return file && fileStream(file, range ?? { start: 0, end: size - 1 });
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await ifReadable(Deno.stat(path)))?.isDirectory ?? false;
}

async function directoryStamp(path: string): Promise<string> {
  return await ifReadable(fileStamp(path)) ?? "-";
}
