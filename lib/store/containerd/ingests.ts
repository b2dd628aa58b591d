import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { ifReadable, isUnreadable } from "../../files/if_present.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { ByteRange } from "../../oci/range.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Arrivals, ArrivingContent } from "../../ports/arrivals.ts";
import { BlobDirectory } from "../blob_directory.ts";
import { growingFileStream } from "./growing_file.ts";

export type ContainerdIngestsComponents = Pick<Runtime, "clock" | "log">;

export interface ContainerdIngestsOptions {
  /** containerd's content directory, which has `ingest/` and `blobs/`. */
  readonly contentPath: string;
  /** Namespace whose transfers are visible. */
  readonly namespace: string;
}

/** Transfers that are listed, and cached names. */
const MAX_INGESTS = 1024;
/** A transfer without a write for this long belongs to a failed pull, ms. */
const ABANDONED_MS = 5000;
/** Longest name that is read, bytes. */
const MAX_REF_BYTES = 1024;

/**
 * containerd's transfers in progress: the directories below `ingest/` of its content store. Each
 * has `ref`, the transfer's name; `total`, the final size; and `data`, which is appended to and
 * then renamed to the blob, so that an open file stays readable.
 */
export class ContainerdIngests implements Arrivals {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #path: string;
  readonly #namespace: string;
  readonly #blobs: BlobDirectory;
  /**
   * Directory name (a digest of the transfer's name) to the transfer's name, which never changes.
   */
  readonly #refs = new LRUCache<string, string>({ max: MAX_INGESTS });

  constructor({ clock, log }: ContainerdIngestsComponents, options: ContainerdIngestsOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#path = join(options.contentPath, "ingest");
    this.#namespace = options.namespace;
    this.#blobs = new BlobDirectory(options.contentPath);
  }

  /** {@inheritDoc Arrivals.find} */
  async find(digest: Digest, { signal }: Cancellable): Promise<ArrivingContent | undefined> {
    try {
      return await this.#find(digest, signal);
    } catch (error) {
      if (!isUnreadable(error)) this.#log.debug("content cannot be followed", { digest, error });
      return undefined;
    }
  }

  /** {@inheritDoc Arrivals.hasArrived} */
  async hasArrived(digest: Digest): Promise<boolean> {
    return await this.#blobs.size(digest).catch(() => undefined) !== undefined;
  }

  async #find(digest: Digest, signal: AbortSignal): Promise<ArrivingContent | undefined> {
    let seen = 0;
    for await (const { name, isDirectory } of Deno.readDir(this.#path)) {
      if (signal.aborted || ++seen > MAX_INGESTS) return undefined;
      if (!isDirectory) continue;
      const ref = await this.#ref(name);
      if (ref === undefined || digestOfRef(ref, this.#namespace) !== digest) continue;
      const directory = join(this.#path, name);
      const size = Number(await Deno.readTextFile(join(directory, "total")));
      const { mtime } = await Deno.stat(join(directory, "data"));
      if (!Number.isSafeInteger(size) || size <= 0) continue;
      if (mtime !== null && Date.now() - mtime.getTime() > ABANDONED_MS) {
        // A resumed transfer keeps its old `data`, but its `updatedat` is new.
        const { mtime: touched } = await Deno.stat(join(directory, "updatedat"));
        if (touched === null || Date.now() - touched.getTime() > ABANDONED_MS) continue;
      }
      return { size, open: (range) => this.#open(digest, directory, size, range) };
    }
    return undefined;
  }

  async #open(digest: Digest, directory: string, size: number, range: ByteRange | undefined) {
    const successor = () => ifReadable(Deno.open(this.#blobs.path(digest)));
    const file = await ifReadable(Deno.open(join(directory, "data"))) ?? await successor();
    return file && growingFileStream(
      { file, size, successor, clock: this.#clock },
      range ?? { start: 0, end: size - 1 },
    );
  }

  async #ref(directory: string): Promise<string | undefined> {
    const known = this.#refs.get(directory);
    if (known !== undefined) return known;
    const path = join(this.#path, directory, "ref");
    const { size } = await ifReadable(Deno.stat(path)) ?? {};
    if (size === undefined || size > MAX_REF_BYTES) return undefined;
    const ref = await ifReadable(Deno.readTextFile(path));
    // Empty while it is being written.
    if (ref) this.#refs.set(directory, ref);
    return ref;
  }
}

/**
 * The digest of a transfer's content. Its name is NAMESPACE/LEASE/KIND-DIGEST, such as
 * `k8s.io/1/layer-sha256:…`; undefined for another namespace or another kind of transfer.
 */
export function digestOfRef(ref: string, namespace: string): Digest | undefined {
  if (!ref.startsWith(`${namespace}/`)) return undefined;
  const digest = /-(sha(?:256|512):[0-9a-f]+)$/.exec(ref)?.[1];
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}
