import type { Digest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Cancellable } from "./cancellable.ts";

/** Content that the node's runtime is fetching. */
export interface ArrivingContent {
  /** Its final size, bytes. */
  readonly size: number;
  /**
   * Opens the content, or a part of it. The stream waits for missing bytes; it errors if the
   * transfer is aborted, restarts or stalls, and never ends early. Its bytes are not verified. The
   * caller reads it to its end or cancels it, and owns the buffer of each chunk.
   *
   * @returns undefined if it is no longer readable.
   */
  open(range: ByteRange | undefined): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** Finds content that is being fetched. */
export interface Arrivals {
  /** Undefined if it is not being fetched, or not readable meanwhile. Does not reject. */
  find(digest: Digest, options: Cancellable): Promise<ArrivingContent | undefined>;
  /**
   * Tells whether the content is complete, at almost no cost: the store may learn of it a moment
   * later. Does not reject.
   */
  hasArrived(digest: Digest): Promise<boolean>;
}
