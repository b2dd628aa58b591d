import type { Digest } from "../oci/digest.ts";

/** A node that reported wrong content from this node. */
export interface Reporter {
  /** Its IP address. */
  readonly address: string;
  /** It has proved that it belongs to the cluster. */
  readonly proven: boolean;
}

/** Detects content of the store that does not match its digest, as after disk failures. */
export interface Integrity {
  /**
   * Reports that content may be damaged. It is checked in the background, unless that was done
   * recently; damaged content counts as not held. Cheap, and never throws.
   *
   * @param by the reporter; undefined: this node itself.
   */
  doubt(digest: Digest, by?: Reporter): void;
  /** Whether it was found damaged and has not been replaced since. Cheap. */
  isDamaged(digest: Digest): boolean;
}
