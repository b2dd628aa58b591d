import type { Digest } from "../oci/digest.ts";

/** Another node that says that what it got from here was wrong. */
export interface Reporter {
  /** Its IP address. */
  readonly address: string;
  /** It has proved that it belongs to the cluster. */
  readonly proven: boolean;
}

/** Finds content of the own store that is not what its digest says, which disks bring about. */
export interface Integrity {
  /**
   * There is reason to think that some content is wrong: it is read again in the background, if that
   * was not done a short while ago, and if it is wrong indeed it counts as not held. Cheap, and never
   * throws.
   *
   * @param by who says so; undefined: it was seen here.
   */
  doubt(digest: Digest, by?: Reporter): void;
  /** Whether it was found to be wrong, and was not replaced since. Cheap. */
  isDamaged(digest: Digest): boolean;
}
