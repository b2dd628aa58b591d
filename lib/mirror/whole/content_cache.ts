import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";

/** A manifest or small blob whose digest has been verified. */
export interface VerifiedContent {
  readonly descriptor: Descriptor;
  readonly content: Uint8Array<ArrayBuffer>;
  /** The peer that sent it. */
  readonly peer: string;
  /** The peer says that it is private. */
  readonly isPrivate: boolean;
}

/** Settings of {@link ContentCache}. */
export interface ContentCacheOptions {
  /** Size of the cache, bytes. */
  readonly manifestCacheBytes: number;
  /** How long one is kept, ms. */
  readonly manifestCacheTtlMs: number;
}

/**
 * Keeps content for the few seconds between a client's request for a tag and the one for its
 * digest, so that the second is answered even if the peer is gone by then.
 */
export class ContentCache {
  readonly #entries: LRUCache<Digest, VerifiedContent>;

  constructor(clock: Clock, options: ContentCacheOptions) {
    this.#entries = expiringCache(clock, {
      ttlMs: options.manifestCacheTtlMs,
      maxSize: options.manifestCacheBytes,
      sizeCalculation: ({ content }: VerifiedContent) => content.length + 1,
    });
  }

  get(digest: Digest): VerifiedContent | undefined {
    return this.#entries.get(digest);
  }

  put(manifest: VerifiedContent): void {
    this.#entries.set(manifest.descriptor.digest, manifest);
  }
}
