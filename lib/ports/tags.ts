import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Cancellable } from "./cancellable.ts";

/** Decides which content a tag means. */
export interface Tags {
  /**
   * The path, by digest, of the content that a tag means. The path itself if it is by digest, or if
   * nothing is known to be better than the content that this node or a peer has for the tag.
   * Bounded in time.
   *
   * @param upstream the digest that upstream names for the tag; undefined if upstream did not say.
   * @throws the signal's reason when it aborts.
   */
  resolve(
    path: DistributionPath,
    upstream: Digest | undefined,
    options: Cancellable,
  ): Promise<DistributionPath>;
}
