import { LRUCache } from "lru-cache";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { manifestChildren } from "../oci/manifest.ts";
import { detectMediaType, isManifestMediaType } from "../oci/media_type.ts";
import type { Cancellable } from "../ports/cancellable.ts";

/** Descriptors cached in total; one takes some 300 bytes, so about 15 MB at most. */
const MAX_REMEMBERED = 50_000;

/** Reads content of at most 4 MiB; undefined if it is larger or not held. */
export type SmallContentReader = (
  digest: Digest,
  options: Cancellable,
) => Promise<Uint8Array | undefined>;

/**
 * Makes a function that lists the children of a manifest or index. Results are cached, since
 * content never changes under its digest: repeated walks of an image read nothing.
 */
export function createChildrenReader(
  read: SmallContentReader,
): (digest: Digest, options: Cancellable) => Promise<readonly Descriptor[]> {
  const known = new LRUCache<Digest, readonly Descriptor[]>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: (children) => children.length + 1,
  });
  return async (digest, options) => {
    const remembered = known.get(digest);
    if (remembered !== undefined) return remembered;
    const content = await read(digest, options);
    if (content === undefined) return [];
    const children = isManifestMediaType(detectMediaType(content)) ? manifestChildren(content) : [];
    known.set(digest, children);
    return children;
  };
}
