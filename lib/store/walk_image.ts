import type { Digest } from "../oci/digest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { HeldReferrer } from "../ports/store.ts";
import { mapConcurrent } from "../async/map_concurrent.ts";
import { type ManifestLinks, NO_LINKS } from "./manifest_links.ts";

/** The store as seen by a walk. */
export interface WalkSource {
  /** Tells whether content is held completely. */
  has(digest: Digest, options: Cancellable): Promise<boolean>;
  /** What a manifest or index refers to; nothing for any other content. */
  links(digest: Digest, options: Cancellable): Promise<ManifestLinks>;
}

/** Content that an image refers to. */
export interface ImageContent {
  /** Held by the store; parents come before their children. */
  readonly present: readonly Digest[];
  /** Referred to but not held, e.g. the layers of other platforms. */
  readonly missing: ReadonlySet<Digest>;
  /** Present manifests that are about another one. */
  readonly referrers: readonly HeldReferrer[];
}

/** Upper bound of digests in one image; the walk stops there. */
const MAX_DIGESTS = 20_000;
/** Concurrent queries to the store. */
const CONCURRENCY = 8;

/**
 * Finds which of an image's content is present: index, manifests, then their configurations and
 * layers. Each digest is visited once, so that circular references end.
 */
export async function walkImage(
  target: Digest,
  source: WalkSource,
  options: Cancellable,
): Promise<ImageContent> {
  const seen = new Set<Digest>([target]);
  const present: Digest[] = [];
  const missing = new Set<Digest>();
  const referrers: HeldReferrer[] = [];
  let level: { digest: Digest; mayHaveChildren: boolean }[] = [
    { digest: target, mayHaveChildren: true },
  ];
  while (level.length > 0) {
    options.signal.throwIfAborted();
    const looked = await mapConcurrent(level, CONCURRENCY, async ({ digest, mayHaveChildren }) => {
      const held = await source.has(digest, options);
      const links = held && mayHaveChildren ? await source.links(digest, options) : NO_LINKS;
      return { digest, held, ...links };
    });
    level = [];
    for (const { digest, held, children, subject } of looked) {
      if (held) present.push(digest);
      else missing.add(digest);
      if (subject !== undefined) referrers.push({ digest, subject });
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
  return { present, missing, referrers };
}
