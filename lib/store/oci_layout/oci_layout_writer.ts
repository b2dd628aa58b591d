import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { denoFiles } from "../../files/durable_files.ts";
import { ifPresent } from "../../files/if_present.ts";
import { writeDurably, writeThrough } from "../../files/write_durably.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import { detectMediaType, MAX_MANIFEST_BYTES, OCTET_STREAM } from "../../oci/media_type.ts";
import { parseReference } from "../../oci/reference.ts";
import { BlobDirectory } from "../blob_directory.ts";
import {
  entryName,
  type LayoutIndex,
  layoutIndexPath,
  nameAnnotations,
  readLayoutIndex,
} from "./layout_index.ts";

export interface OciLayoutWriterOptions {
  /** Called after each change; pass `notifyChanged` of a store on the same directory. */
  readonly onChange?: () => void;
}

/** Directory of temporary files, on the same file system so that a rename is atomic. */
const TEMPORARY = "tmp";
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/**
 * Writes an OCI image layout (image specification, "Image Layout"). Readers never see a partial
 * file, and blobs are verified against their digest. Changes of the index are serialised; a
 * directory must have at most one writer.
 */
export class OciLayoutWriter {
  readonly #root: string;
  readonly #blobs: BlobDirectory;
  readonly #onChange: () => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(root: string, options: OciLayoutWriterOptions = {}) {
    this.#root = root;
    this.#blobs = new BlobDirectory(root);
    this.#onChange = options.onChange ?? (() => {});
  }

  /**
   * Adds a blob.
   *
   * @param content bytes, or a stream, which is read to its end.
   * @param expected digest that the content must have; default: its SHA-256.
   * @throws {Error} if the content has another digest; nothing is kept then.
   */
  async putBlob(
    content: Uint8Array | ReadableStream<Uint8Array>,
    expected?: Digest,
  ): Promise<Descriptor> {
    const algorithm = expected === undefined ? "sha256" : splitDigest(expected).algorithm;
    const { bytes, result } = hashed(content, algorithm);
    const entry = { kind: "file", bytes, mode: FILE_MODE } as const;
    await writeThrough(denoFiles, await this.#temporary(), entry, async () => {
      const { digest } = result();
      if (expected !== undefined && digest !== expected) {
        throw new Error(`blob has digest ${digest}, want ${expected}`);
      }
      const path = this.#blobs.path(digest);
      await denoFiles.makeDirectories(dirname(path), DIRECTORY_MODE);
      return path;
    });
    const { digest, size } = result();
    const small = await this.#blobs.read(digest, MAX_MANIFEST_BYTES);
    this.#onChange();
    return { digest, size, mediaType: small ? detectMediaType(small) : OCTET_STREAM };
  }

  /** Adds a manifest or index and, if a name is given, points the name to it. */
  async putManifest(content: Uint8Array | string, name?: string): Promise<Descriptor> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const descriptor = await this.putBlob(bytes);
    if (name !== undefined) await this.tag(name, descriptor);
    return descriptor;
  }

  /**
   * Points a full image name (`registry/repository:tag`) to content, replacing its earlier target.
   *
   * @throws {Error} if the name has no registry or is malformed.
   */
  async tag(name: string, target: Descriptor): Promise<void> {
    if (parseReference(name) === undefined) {
      throw new Error(`image name ${JSON.stringify(name)} is not registry/repository:tag`);
    }
    const { digest, mediaType, size } = target;
    const entry = { mediaType, digest, size, annotations: nameAnnotations(name) };
    await this.#update((index) => ({
      ...index,
      manifests: [...index.manifests.filter((other) => entryName(other) !== name), entry],
    }));
  }

  /** Removes a name; its target stays. */
  async untag(name: string): Promise<void> {
    await this.#update((index) => ({
      ...index,
      manifests: index.manifests.filter((entry) => entryName(entry) !== name),
    }));
  }

  async removeBlob(digest: Digest): Promise<void> {
    await ifPresent(Deno.remove(this.#blobs.path(digest)));
    this.#onChange();
  }

  /** Makes an empty layout, so that other tools accept the directory before the first image. */
  async init(): Promise<void> {
    await denoFiles.makeDirectories(join(this.#root, "blobs", "sha256"), DIRECTORY_MODE);
    await this.#update((index) => index);
  }

  #update(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    const update = this.#last.then(async () => {
      const index = await readLayoutIndex(this.#root) ?? { schemaVersion: 2, manifests: [] };
      await this.#replace(
        join(this.#root, "oci-layout"),
        JSON.stringify({ imageLayoutVersion: "1.0.0" }),
      );
      await this.#replace(layoutIndexPath(this.#root), JSON.stringify(change(index), null, 2));
      this.#onChange();
    });
    // The caller handles the failure; the next update proceeds regardless.
    this.#last = update.catch(() => {});
    return update;
  }

  async #replace(path: string, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    const through = await this.#temporary();
    await writeDurably(denoFiles, path, { kind: "file", bytes, mode: FILE_MODE }, through);
  }

  async #temporary(): Promise<string> {
    const directory = join(this.#root, TEMPORARY);
    await denoFiles.makeDirectories(directory, DIRECTORY_MODE);
    return directory;
  }
}

/** Passes content through and hashes it; `result` is valid once everything has passed. */
function hashed(
  content: Uint8Array | ReadableStream<Uint8Array>,
  algorithm: "sha256" | "sha512",
): { bytes: AsyncIterable<Uint8Array>; result: () => { digest: Digest; size: number } } {
  const hash = createHash(algorithm);
  let size = 0;
  const bytes = async function* () {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }();
  const result = () => ({ digest: `${algorithm}:${hash.copy().digest("hex")}` as const, size });
  return { bytes, result };
}
