import { LRUCache } from "lru-cache";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { manifestChildren } from "../oci/manifest.ts";
import { detectMediaType, isManifestMediaType } from "../oci/media_type.ts";
import { parseReferrer } from "../oci/referrer.ts";
import type { Cancellable } from "../ports/cancellable.ts";

/** Descriptors cached in total; one takes some 300 bytes, so about 15 MB at most. */
const MAX_REMEMBERED = 50_000;

/** Reads content of at most 4 MiB; undefined if it is larger or not held. */
export type SmallContentReader = (
  digest: Digest,
  options: Cancellable,
) => Promise<Uint8Array | undefined>;

/** What a manifest or index refers to. */
export interface ManifestLinks {
  readonly children: readonly Descriptor[];
  /** The manifest that this one is about. */
  readonly subject?: Digest | undefined;
}

/** Of content that is no manifest. */
export const NO_LINKS: ManifestLinks = { children: [] };

/**
 * Makes a function that lists what a manifest or index refers to. Results are cached, since content
 * never changes under its digest: repeated walks of an image read nothing.
 */
export function createLinksReader(
  read: SmallContentReader,
): (digest: Digest, options: Cancellable) => Promise<ManifestLinks> {
  const known = new LRUCache<Digest, ManifestLinks>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: ({ children }) => children.length + 1,
  });
  return async (digest, options) => {
    const remembered = known.get(digest);
    if (remembered !== undefined) return remembered;
    const content = await read(digest, options);
    if (content === undefined) return NO_LINKS;
    const links = isManifestMediaType(detectMediaType(content))
      ? { children: manifestChildren(content), subject: parseReferrer(content)?.subject }
      : NO_LINKS;
    known.set(digest, links);
    return links;
  };
}
