import { join } from "node:path";
import { LRUCache } from "lru-cache";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/media_type.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Store, StoredImage } from "../../ports/store.ts";
import type { StoreEvent, Watcher } from "../../ports/watcher.ts";
import { BlobDirectory } from "../blob_directory.ts";
import { createLinksReader } from "../manifest_links.ts";
import { mapConcurrent } from "../../async/map_concurrent.ts";
import { fileStamp } from "../../files/file_stamp.ts";
import { ifPresent } from "../../files/if_present.ts";
import { MediaTypeDetector } from "../media_type_detector.ts";
import { walkImage } from "../walk_image.ts";
import { layoutImages, layoutIndexPath, readLayoutIndex } from "./layout_index.ts";

export type OciLayoutStoreComponents = Pick<Runtime, "clock" | "log">;

export interface OciLayoutStoreOptions {
  /** Interval of checks for changes of the layout, ms; default 2,000. */
  readonly pollIntervalMs?: number;
  /** Interval of full `sync` events, ms; default 600,000. */
  readonly resyncIntervalMs?: number;
}

const CONCURRENCY = 4;
/** Cached media types. */
const MAX_MEDIA_TYPES = 10_000;

/**
 * An OCI image layout in a directory, as a store and a watcher. The directory may appear, change
 * and vanish (a USB stick) at any time; while it is missing, the store is empty.
 */
export class OciLayoutStore implements Store, Watcher {
  readonly name = "oci-layout";
  readonly #root: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pollIntervalMs: number;
  readonly #resyncIntervalMs: number;
  readonly #blobs: BlobDirectory;
  readonly #mediaTypes = new LRUCache<Digest, string>({ max: MAX_MEDIA_TYPES });
  readonly #detector: MediaTypeDetector;
  readonly #links: ReturnType<typeof createLinksReader>;
  readonly #waiting = new Set<() => void>();
  #changes = 0;
  #names: { readonly stamp: string; readonly map: Map<string, Digest> } | undefined;

  constructor(
    root: string,
    components: OciLayoutStoreComponents,
    options: OciLayoutStoreOptions = {},
  ) {
    this.#root = root;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#pollIntervalMs = options.pollIntervalMs ?? 2_000;
    this.#resyncIntervalMs = options.resyncIntervalMs ?? 600_000;
    this.#blobs = new BlobDirectory(root);
    const read = (digest: Digest) => this.#blobs.read(digest, MAX_MANIFEST_BYTES);
    this.#detector = new MediaTypeDetector(read);
    this.#links = createLinksReader(read);
  }

  /** @throws {Error} if `index.json` is damaged. */
  async resolve(name: string, { signal }: Cancellable): Promise<Digest | undefined> {
    signal.throwIfAborted();
    return (await this.#readNames()).get(name);
  }

  async stamp(digest: Digest, { signal }: Cancellable): Promise<string | undefined> {
    signal.throwIfAborted();
    return await this.#blobs.stampOf(digest);
  }

  async descriptor(digest: Digest, { signal }: Cancellable): Promise<Descriptor | undefined> {
    signal.throwIfAborted();
    const size = await this.#blobs.size(digest);
    if (size === undefined) return undefined;
    const mediaType = this.#mediaTypes.get(digest) ??
      await this.#detector.detect({ digest, size }, { signal });
    if (mediaType === undefined) return undefined;
    if (size <= MAX_MANIFEST_BYTES) this.#mediaTypes.set(digest, mediaType);
    return { digest, size, mediaType };
  }

  async open(
    digest: Digest,
    { signal, range, held }: Parameters<Store["open"]>[1],
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    signal.throwIfAborted();
    const size = held?.size ?? await this.#blobs.size(digest);
    return size === undefined ? undefined : await this.#blobs.open(digest, size, range);
  }

  /** Triggers a check now instead of at the next poll; a writer calls it after a change. */
  notifyChanged(): void {
    this.#changes++;
    for (const wake of this.#waiting) wake();
  }

  async *watch(options: Cancellable): AsyncGenerator<StoreEvent, void, undefined> {
    const { signal } = options;
    let known: Map<string, StoredImage> | undefined;
    let stamp: string | undefined;
    let syncAtMs = -Infinity;
    let seenChanges = -1;
    let damaged = false;
    while (!signal.aborted) {
      const changes = this.#changes;
      const due = this.#clock.now() >= syncAtMs;
      try {
        const current = await this.#stamp();
        if (due || current !== stamp || changes !== seenChanges) {
          const images = await this.#images(options);
          yield* due || known === undefined ? [syncOf(images)] : differences(known, images);
          if (due) syncAtMs = this.#clock.now() + this.#resyncIntervalMs;
          known = images;
          stamp = current;
          seenChanges = changes;
        }
        damaged = false;
      } catch (error) {
        if (signal.aborted) return;
        // Most likely half written by a tool that does not rename; the last state stands meanwhile.
        if (!damaged) this.#log.warn("image layout cannot be read", { error: String(error) });
        damaged = true;
        if (known === undefined) yield syncOf(known = new Map());
      }
      await this.#sleep(changes, options);
    }
  }

  async #images(options: Cancellable): Promise<Map<string, StoredImage>> {
    const source = {
      has: async (digest: Digest) => await this.#blobs.size(digest) !== undefined,
      links: this.#links,
    };
    const images = await mapConcurrent(
      [...await this.#readNames()],
      CONCURRENCY,
      async ([name, target]) => {
        const { present, referrers } = await walkImage(target, source, options);
        const about = referrers.length === 0 ? {} : { referrers };
        return [name, { name, target, present, ...about }] as const;
      },
    );
    return new Map(images);
  }

  async #readNames(): Promise<ReadonlyMap<string, Digest>> {
    const stamp = await stampOf(layoutIndexPath(this.#root));
    if (this.#names?.stamp === stamp) return this.#names.map;
    const index = await readLayoutIndex(this.#root);
    const map = index === undefined ? new Map<string, Digest>() : layoutImages(index);
    this.#names = { stamp, map };
    return map;
  }

  /** Changes when `index.json` is written or a blob is added or removed. */
  async #stamp(): Promise<string> {
    const blobs = join(this.#root, "blobs");
    const paths = [layoutIndexPath(this.#root), join(blobs, "sha256"), join(blobs, "sha512")];
    return (await Promise.all(paths.map(stampOf))).join(" ");
  }

  async #sleep(changes: number, { signal }: Cancellable): Promise<void> {
    if (this.#changes !== changes) return;
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      await this.#clock.sleep(this.#pollIntervalMs, { signal: woken.signal });
    } catch (error) {
      if (!woken.signal.aborted) throw error;
    } finally {
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }
}

async function stampOf(path: string): Promise<string> {
  return await ifPresent(fileStamp(path)) ?? "-";
}

function syncOf(images: ReadonlyMap<string, StoredImage>): StoreEvent {
  return { type: "sync", images: [...images.values()] };
}

function* differences(
  before: ReadonlyMap<string, StoredImage>,
  after: ReadonlyMap<string, StoredImage>,
): Generator<StoreEvent> {
  for (const name of before.keys()) if (!after.has(name)) yield { type: "delete", name };
  for (const [name, image] of after) {
    if (JSON.stringify(before.get(name)) !== JSON.stringify(image)) yield { type: "image", image };
  }
}
