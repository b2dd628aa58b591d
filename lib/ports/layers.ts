import type { Digest } from "../oci/digest.ts";

/**
 * Why a layer is no longer kept: its last image was removed, no image ever had it, more was kept
 * than allowed, or the disk filled up.
 */
export type ReleaseReason = "image-removed" | "never-pulled" | "budget" | "disk-pressure";

/** Keeps the layers of this node's images where the runtime would discard them. */
export interface Layers {
  /**
   * The node's runtime asks for a blob, and is about to get it: from here, or else from upstream.
   * Resolves once the blob will be kept, or cannot be; bounded in time, never rejects.
   */
  expect(digest: Digest): Promise<void>;
  /** A peer gets this blob: it is worth more than others. */
  served(digest: Digest): void;
}
