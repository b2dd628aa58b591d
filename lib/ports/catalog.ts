import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";

/** A tag whose manifest is held. */
export interface HeldTag {
  readonly tag: string;
  readonly target: Digest;
}

/** Lists what the images of this node say of repositories. It answers from memory. */
export interface Catalog {
  /** The tags of a repository, in the order of UTF-16 code units. */
  tags(repository: Pick<Reference, "registry" | "repository">): readonly HeldTag[];
  /**
   * Held manifests that name this subject and are of images of the repository, or of images whose
   * names have no registry.
   */
  referrers(
    repository: Pick<Reference, "registry" | "repository">,
    subject: Digest,
  ): readonly Digest[];
  /**
   * Some referrers that belong together with a manifest: those of other manifests of its images, or
   * itself if it is one. None: nothing is known of the referrers of these images.
   */
  relatedReferrers(
    repository: Pick<Reference, "registry" | "repository">,
    manifest: Digest,
  ): readonly Digest[];
}
