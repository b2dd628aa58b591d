import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";

/** What a walk asks a store. */
export interface WalkSource {
  /** Tells whether content is held whole. */
  has(digest: Digest, options: Cancellable): Promise<boolean>;
  /** What a manifest or index names; empty for any other content. */
  children(digest: Digest, options: Cancellable): Promise<readonly Descriptor[]>;
}

/** Content that an image refers to. */
export interface ImageContent {
  /** Held by the store; a parent comes before its children. */
  readonly present: readonly Digest[];
  /** Referred to but not held, e.g. the layers of other platforms. */
  readonly missing: ReadonlySet<Digest>;
}

/** Digests that one image may refer to; an image with more is followed no further. */
const MAX_DIGESTS = 20_000;
/** Questions to the store at once. */
const CONCURRENCY = 8;

/**
 * Finds what of an image is there: index, manifests, then their configurations and layers. Each
 * digest is looked at once, so that documents which refer to each other cannot trap the walk.
 */
export async function walkImage(
  target: Digest,
  source: WalkSource,
  options: Cancellable,
): Promise<ImageContent> {
  const seen = new Set<Digest>([target]);
  const present: Digest[] = [];
  const missing = new Set<Digest>();
  let level: { digest: Digest; mayHaveChildren: boolean }[] = [
    { digest: target, mayHaveChildren: true },
  ];
  while (level.length > 0) {
    options.signal.throwIfAborted();
    const looked = await mapConcurrent(level, CONCURRENCY, async ({ digest, mayHaveChildren }) => {
      const held = await source.has(digest, options);
      const children = held && mayHaveChildren ? await source.children(digest, options) : [];
      return { digest, held, children };
    });
    level = [];
    for (const { digest, held, children } of looked) {
      if (held) present.push(digest);
      else missing.add(digest);
      for (const child of children) {
        if (seen.has(child.digest) || seen.size >= MAX_DIGESTS) continue;
        seen.add(child.digest);
        level.push({
          digest: child.digest,
          mayHaveChildren: isManifestMediaType(child.mediaType),
        });
      }
    }
  }
  return { present, missing };
}
