import { type Digest, isDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/media_type.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Log } from "../../ports/log.ts";
import type { StoredImage } from "../../ports/store.ts";
import { createLinksReader, NO_LINKS } from "../manifest_links.ts";
import { mapConcurrent } from "../../async/map_concurrent.ts";
import { type ImageContent, walkImage } from "../walk_image.ts";
import { type ContainerdClient, ContainerdError } from "./client.ts";
import type { ContainerdContent } from "./content.ts";
import { type ImageRecord, methods } from "./methods.ts";

/** An image with its present and missing content. */
export interface WalkedImage extends Pick<StoredImage, "name" | "target">, ImageContent {}

/** Images walked at once in a full sync. */
const CONCURRENCY = 4;

export interface ImageWalkerComponents {
  readonly client: ContainerdClient;
  readonly content: ContainerdContent;
  readonly log: Log;
}

export interface ImageWalkerOptions {
  /** Deadline for listing images, ms. */
  readonly listTimeoutMs: number;
}

/** Lists containerd's images and finds which of their content is present. */
export class ImageWalker {
  readonly #client: ContainerdClient;
  readonly #content: ContainerdContent;
  readonly #listTimeoutMs: number;
  readonly #links: ReturnType<typeof createLinksReader>;

  constructor(components: ImageWalkerComponents, options: ImageWalkerOptions) {
    const { client, content, log } = components;
    this.#client = client;
    this.#content = content;
    this.#listTimeoutMs = options.listTimeoutMs;
    const links = createLinksReader((digest, cancellable) =>
      content.read(digest, MAX_MANIFEST_BYTES, cancellable)
    );
    this.#links = async (digest, cancellable) => {
      try {
        return await links(digest, cancellable);
      } catch (error) {
        const unanswered = error instanceof ContainerdError && error.unanswered;
        if (unanswered || cancellable.signal.aborted) throw error;
        // One damaged file must not hide all other images.
        log.warn("manifest cannot be read, what it refers to is left out", {
          digest,
          error: String(error),
        });
        return NO_LINKS;
      }
    };
  }

  /** The target of each image name. */
  async names({ signal }: Cancellable): Promise<Map<string, Digest>> {
    const { images } = await this.#client.call(methods.listImages, { filters: [] }, {
      signal,
      timeoutMs: this.#listTimeoutMs,
    });
    return new Map(images.flatMap((image) => {
      const target = targetOf(image);
      return target === undefined ? [] : [[image.name, target]];
    }));
  }

  /**
   * Walks all images and lists all content. The content is listed once, not queried by digest, and
   * after the images, so that the list includes everything an image had when it was listed.
   */
  async all(options: Cancellable): Promise<{ images: WalkedImage[]; held: Set<Digest> }> {
    const names = await this.names(options);
    const held = await this.#content.list(options);
    const source = {
      has: (digest: Digest) => Promise.resolve(held.has(digest)),
      links: this.#links,
    };
    const images = await mapConcurrent([...names], CONCURRENCY, async ([name, target]) => ({
      name,
      target,
      ...await walkImage(target, source, options),
    }));
    return { images, held };
  }

  /** Walks one image; undefined if there is none of that name. */
  async one(name: string, options: Cancellable): Promise<WalkedImage | undefined> {
    const target = await this.#target(name, options);
    if (target === undefined) return undefined;
    const source = {
      has: async (digest: Digest) => await this.#content.info(digest, options) !== undefined,
      links: this.#links,
    };
    return { name, target, ...await walkImage(target, source, options) };
  }

  async #target(name: string, { signal }: Cancellable): Promise<Digest | undefined> {
    try {
      const { image } = await this.#client.call(methods.getImage, { name }, { signal });
      return image === null ? undefined : targetOf(image);
    } catch (error) {
      if (error instanceof ContainerdError && error.notFound) return undefined;
      throw error;
    }
  }
}

function targetOf({ target }: ImageRecord): Digest | undefined {
  return target !== null && isDigest(target.digest) ? target.digest : undefined;
}
