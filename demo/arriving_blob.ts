import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Descriptor } from "../lib/oci/descriptor.ts";
import { splitDigest } from "../lib/oci/digest.ts";
import { LAYOUT_NAMESPACE } from "../lib/agent/open_store.ts";

/** Writes a blob as containerd would, so that peers can read it meanwhile. */
export class ArrivingBlob {
  readonly #layout: string;
  readonly #directory: string;
  readonly #file: Deno.FsFile;
  readonly #descriptor: Descriptor;

  private constructor(
    layout: string,
    directory: string,
    file: Deno.FsFile,
    descriptor: Descriptor,
  ) {
    this.#layout = layout;
    this.#directory = directory;
    this.#file = file;
    this.#descriptor = descriptor;
  }

  /** Begins a blob in an OCI layout with a directory `ingest`. */
  static async begin(layout: string, descriptor: Descriptor): Promise<ArrivingBlob> {
    const ref = `${LAYOUT_NAMESPACE}/1/blob-${descriptor.digest}`;
    const name = createHash("sha256").update(ref).digest("hex");
    const directory = join(layout, "ingest", name);
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(join(directory, "total"), String(descriptor.size));
    await Deno.writeTextFile(join(directory, "updatedat"), "");
    const file = await Deno.create(join(directory, "data"));
    await Deno.writeTextFile(join(directory, "ref"), ref);
    return new ArrivingBlob(layout, directory, file, descriptor);
  }

  /** Appends a chunk. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let written = 0; written < chunk.length;) {
      written += await this.#file.write(chunk.subarray(written));
    }
  }

  /** Discards what was written. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
  }

  /** Renames the complete and verified file to a blob of the layout. */
  async commit(): Promise<void> {
    this.#file.close();
    const { algorithm, hex } = splitDigest(this.#descriptor.digest);
    const blob = join(this.#layout, "blobs", algorithm, hex);
    await Deno.mkdir(dirname(blob), { recursive: true });
    await Deno.rename(join(this.#directory, "data"), blob);
    await Deno.remove(this.#directory, { recursive: true });
  }
}
