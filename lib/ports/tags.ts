import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { Cancellable } from "./cancellable.ts";

/** Resolves tags. */
export interface Tags {
  /**
   * Resolves a tag to a path by digest. Returns the path itself if it is by digest, or if no digest
   * is known to be better than the one that this node or a peer has. Bounded in time.
   *
   * @param upstream the digest from upstream; undefined if upstream gave no answer.
   * @throws the signal's reason when it aborts.
   */
  resolve(
    path: DistributionPath,
    upstream: Digest | undefined,
    options: Cancellable,
  ): Promise<DistributionPath>;
}
