import { LRUCache } from "lru-cache";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/media_type.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { type ContainerdClient, ContainerdError } from "./client.ts";
import { MediaTypeDetector } from "../media_type_detector.ts";
import type { ContainerdContent } from "./content.ts";
import { type ImageRecord, methods } from "./methods.ts";

export interface ContainerdStoreComponents {
  readonly client: ContainerdClient;
  readonly content: ContainerdContent;
  readonly clock: Clock;
}

export interface ContainerdStoreOptions {
  /**
   * How long content stays confirmed as part of the namespace without asking containerd again, ms,
   * provided its file exists; default 30,000.
   */
  readonly membershipTtlMs?: number;
  /** Cached descriptors; default 10,000 (about 4 MB). */
  readonly maxDescriptors?: number;
}

interface Known {
  readonly descriptor: Descriptor;
  /** When containerd last confirmed that the content is in the namespace. */
  readonly confirmedAtMs: number;
}

/**
 * The images and content of one containerd namespace.
 *
 * containerd keeps the blobs of all namespaces in one directory. Only content of the configured
 * namespace is served, so that images of another one (a build, say) do not leak to other nodes: the
 * first use of a digest asks the content service. For a while after that a check of the file
 * suffices, which keeps the hot path free of calls and serves known content through an outage of
 * containerd. A digest without a file is in no namespace, so the common miss needs no call either.
 */
export class ContainerdStore implements Store {
  readonly name = "containerd";
  readonly #client: ContainerdClient;
  readonly #content: ContainerdContent;
  readonly #clock: Clock;
  readonly #membershipTtlMs: number;
  readonly #known: LRUCache<Digest, Known>;
  readonly #detector: MediaTypeDetector;

  constructor(components: ContainerdStoreComponents, options: ContainerdStoreOptions = {}) {
    this.#client = components.client;
    this.#content = components.content;
    this.#clock = components.clock;
    this.#detector = new MediaTypeDetector((digest, cancellable) =>
      this.#content.read(digest, MAX_MANIFEST_BYTES, cancellable)
    );
    this.#membershipTtlMs = options.membershipTtlMs ?? 30_000;
    this.#known = new LRUCache({ max: options.maxDescriptors ?? 10_000 });
  }

  /** @throws {ContainerdError} if containerd does not answer. */
  async resolve(name: string, options: Cancellable): Promise<Digest | undefined> {
    const digest = (await this.#image(name, options))?.target?.digest;
    return digest !== undefined && isDigest(digest) ? digest : undefined;
  }

  /** @throws {ContainerdError} if containerd does not answer. */
  async updatedAt(name: string, options: Cancellable): Promise<number | undefined> {
    const { seconds = 0, nanos = 0 } = (await this.#image(name, options))?.updatedAt ?? {};
    return seconds > 0 ? seconds * 1000 + Math.floor(nanos / 1e6) : undefined;
  }

  /** @throws {ContainerdError} if containerd must be asked and does not answer. */
  async stamp(digest: Digest, options: Cancellable): Promise<string | undefined> {
    if (await this.descriptor(digest, options) === undefined) return undefined;
    return await this.#content.stampOf(digest, options);
  }

  /** @throws {ContainerdError} if containerd must be asked and does not answer. */
  async descriptor(digest: Digest, options: Cancellable): Promise<Descriptor | undefined> {
    options.signal.throwIfAborted();
    const file = await this.#content.file(digest);
    if (file === "absent") {
      this.#known.delete(digest);
      return undefined;
    }
    const known = this.#known.get(digest);
    const filed = known !== undefined && known.descriptor.size === file;
    if (filed && this.#clock.now() - known.confirmedAtMs < this.#membershipTtlMs) {
      return known.descriptor;
    }
    try {
      return await this.#confirm(digest, known?.descriptor, options);
    } catch (error) {
      // Content is immutable; while containerd is down, the last known membership stands.
      if (filed && error instanceof ContainerdError) return known.descriptor;
      throw error;
    }
  }

  /** @throws {ContainerdError} if containerd must be asked and does not answer. */
  async open(
    digest: Digest,
    options: Parameters<Store["open"]>[1],
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    const { held, range, signal } = options;
    const descriptor = held ?? await this.descriptor(digest, options);
    signal.throwIfAborted();
    if (descriptor === undefined) return undefined;
    const opened = await this.#content.openFile(digest, descriptor.size, range);
    if (opened !== undefined) return opened;
    // Without a file the content may have been removed since `held` was read.
    const there = held === undefined || await this.descriptor(digest, options) !== undefined;
    return there ? this.#content.stream(digest, descriptor.size, range) : undefined;
  }

  /** The record of an image; null if there is none. */
  async #image(name: string, { signal }: Cancellable): Promise<ImageRecord | null> {
    try {
      return (await this.#client.call(methods.getImage, { name }, { signal })).image;
    } catch (error) {
      if (error instanceof ContainerdError && error.notFound) return null;
      throw error;
    }
  }

  async #confirm(digest: Digest, known: Descriptor | undefined, options: Cancellable) {
    const info = await this.#content.info(digest, options);
    if (info === undefined) {
      this.#known.delete(digest);
      return undefined;
    }
    const { size } = info;
    const mediaType = known?.size === size
      ? known.mediaType
      : await this.#detector.detect({ digest, size }, options);
    // The content was removed in the meantime.
    if (mediaType === undefined) return undefined;
    const descriptor = { digest, size, mediaType };
    this.#known.set(digest, { descriptor, confirmedAtMs: this.#clock.now() });
    return descriptor;
  }
}
