import { LRUCache } from "lru-cache";
import type { Digest } from "../oci/digest.ts";
import { manifestChildren } from "../oci/manifest.ts";

/** Digests that are remembered, and repositories of each. */
const MAX_DIGESTS = 200_000;
const MAX_REPOSITORIES_PER_DIGEST = 32;
/** Digests that were asked for lately. */
const MAX_ASKED = 10_000;

/**
 * Knows which repositories name content. A manifest may name what its repository does not have, to
 * get at content of others: a name is proven only when upstream said that the content is there.
 */
export class RepositoryContent {
  readonly #names = new LRUCache<Digest, Map<string, boolean>>({ max: MAX_DIGESTS });
  readonly #asked = new LRUCache<Digest, Set<string>>({ max: MAX_ASKED });
  /** What manifests name that are served again and again, as long as those are kept. */
  readonly #children = new WeakMap<Uint8Array, readonly Digest[]>();

  /** A client of this node asks for content of a repository, whether it is there or not. */
  noteAsked(repository: string, digest: Digest): void {
    const names = this.#asked.get(digest) ?? new Set();
    if (names.size < MAX_REPOSITORIES_PER_DIGEST) names.add(repository);
    this.#asked.set(digest, names);
  }

  /**
   * Repositories of which clients of this node asked for the content lately; none if they are too
   * many to be known.
   */
  askedFor(digest: Digest): readonly string[] {
    const names = this.#asked.get(digest);
    return names === undefined || names.size >= MAX_REPOSITORIES_PER_DIGEST ? [] : [...names];
  }

  /** An image or a manifest of a repository names this content. */
  claim(repository: string, digest: Digest): void {
    this.#set(repository, digest, false);
  }

  /** A repository has this manifest, and names what is named in it. */
  claimManifest(repository: string, manifest: Uint8Array): void {
    let children = this.#children.get(manifest);
    if (children === undefined) {
      children = manifestChildren(manifest).map(({ digest }) => digest);
      this.#children.set(manifest, children);
    }
    for (const digest of children) this.claim(repository, digest);
  }

  /** Upstream has the content in this repository. */
  prove(repository: string, digest: Digest): void {
    this.#set(repository, digest, true);
  }

  /** Tells whether upstream said that a repository has the content. */
  isProven(repository: string, digest: Digest): boolean {
    return this.#names.get(digest)?.get(repository) === true;
  }

  /** Repositories that name the content; empty if none is known. */
  repositories(digest: Digest): readonly string[] {
    return [...this.#names.get(digest)?.keys() ?? []];
  }

  #set(repository: string, digest: Digest, proven: boolean): void {
    let names = this.#names.get(digest);
    if (names === undefined) this.#names.set(digest, names = new Map());
    if (names.get(repository) === true) return;
    if (proven && names.size >= MAX_REPOSITORIES_PER_DIGEST && !names.has(repository)) {
      // What is proven is never crowded out by what is only claimed.
      const claimed = [...names].find(([, proven]) => !proven)?.[0];
      if (claimed !== undefined) names.delete(claimed);
    }
    if (names.size < MAX_REPOSITORIES_PER_DIGEST || names.has(repository)) {
      names.set(repository, proven);
    }
  }
}
