import type { Digest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Cancellable } from "./cancellable.ts";

/** Content that the node's runtime is just fetching. */
export interface ArrivingContent {
  /** Bytes that it will have. */
  readonly size: number;
  /**
   * Opens it, or a part of it. The stream waits for bytes that have not arrived yet; it errors when
   * the transfer is given up, begins anew or stands still, and never ends early. Nobody has verified
   * it yet. The caller reads it to its end or cancels it, and owns the buffer of each chunk.
   *
   * @returns undefined if it cannot be read any more.
   */
  open(range: ByteRange | undefined): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** Finds content that is still arriving. */
export interface Arrivals {
  /** Undefined if it is not arriving, or cannot be read while it does. Does not reject. */
  find(digest: Digest, options: Cancellable): Promise<ArrivingContent | undefined>;
  /**
   * Tells whether all of it has arrived, at next to no cost: the store may only know of it a moment
   * later. Does not reject.
   */
  hasArrived(digest: Digest): Promise<boolean>;
}
