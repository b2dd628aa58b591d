import { join } from "node:path";
import { type Digest, splitDigest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import { fileStream } from "./file_stream.ts";

/**
 * Files below `blobs/<algorithm>/<hex>`: the form of an OCI image layout (image specification,
 * "Image Layout") and of containerd's local content store alike. Both add a blob by renaming a
 * whole file, so what is there is complete.
 */
export class BlobDirectory {
  readonly #root: string;
  #usable = false;

  /** @param root directory that has, or will have, `blobs/`. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Path of the file that has, or would have, this content. */
  path(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#root, "blobs", algorithm, hex);
  }

  /**
   * Tells whether `blobs/` can be looked into, so that a file which is not found is really not
   * there. Remembered once true. containerd makes `ingest/` when it starts and `blobs/` with the
   * first blob: a store that has nothing yet is told by that.
   */
  async usable(): Promise<boolean> {
    this.#usable ||= await isDirectory(join(this.#root, "blobs")) ||
      await isDirectory(join(this.#root, "ingest"));
    return this.#usable;
  }

  /**
   * Changes whenever a blob is added or removed; undefined if `blobs/` cannot be looked into. Much
   * cheaper than listing.
   */
  async stamp(): Promise<string | undefined> {
    if (!await this.usable()) return undefined;
    const directories = ["sha256", "sha512"].map((name) => join(this.#root, "blobs", name));
    return (await Promise.all(directories.map(directoryStamp))).join(" ");
  }

  /** Changes when a blob is written anew; undefined if it is not there or may not be read. */
  async stampOf(digest: Digest): Promise<string | undefined> {
    try {
      const { ino, size, mtime } = await Deno.stat(this.path(digest));
      return `${ino}:${size}:${mtime?.getTime()}`;
    } catch (error) {
      return absent(error);
    }
  }

  /** Bytes of a blob; undefined if it is not there or may not be read. */
  async size(digest: Digest): Promise<number | undefined> {
    try {
      const info = await Deno.stat(this.path(digest));
      return info.isFile ? info.size : undefined;
    } catch (error) {
      return absent(error);
    }
  }

  /** A blob as a whole; undefined if it is not there, may not be read or exceeds `maxBytes`. */
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
   * Streams a blob; undefined if it is not there or may not be read.
   *
   * @param size bytes that the blob is known to have.
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

/** Absence and lack of permission are answers; anything else is a failure of the disk. */
function absent(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return;
  }
  throw error;
}
