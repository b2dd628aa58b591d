import { LRUCache } from "lru-cache";
import type { Digest } from "../oci/digest.ts";
import { manifestChildren } from "../oci/manifest.ts";
import { type Claims, HeldContent } from "./held_content.ts";
import { portless } from "./repositories.ts";

/** The most digests that are remembered though they are not held, and repositories of each. */
const MAX_TOLD = 50_000;
const MAX_NAMES = 32;
/** The most digests that are remembered because they were asked for. */
const MAX_ASKED = 10_000;
/** The most proofs, and the most claims, that are kept across restarts. */
const MAX_KEPT = 20_000;

/** The fact that a repository has content. */
export type Entry = readonly [name: string, digest: Digest];

/** What is kept of content across restarts because images do not tell it. */
export interface KeptContent {
  /** Answers of upstream about content that several repositories name. */
  readonly proofs: readonly Entry[];
  /** Claims of images that were removed, and about content that other repositories name, too. */
  readonly claims: readonly Entry[];
}

/**
 * Knows which repositories name content. A manifest may name content that its repository does not
 * have, to get at content of others: a claim is proven only once upstream has said that the content
 * is there.
 *
 * Claims to content that is held here stay as long as it is held. Of other content the latest
 * claims are remembered: answers of upstream about 50,000 digests, as many claims of manifests that
 * clients of this node were given, and 10,000 requests of those clients.
 */
export class RepositoryContent {
  readonly held = new HeldContent();
  readonly #proofs = new LRUCache<Digest, Set<string>>({ max: MAX_TOLD });
  /** Claims from before a restart, until it is known which content is held. */
  readonly #restored = new LRUCache<Digest, Set<string>>({ max: MAX_KEPT });
  readonly #told = new LRUCache<Digest, Set<string>>({ max: MAX_TOLD });
  readonly #asked = new LRUCache<Digest, Set<string>>({ max: MAX_ASKED });
  /** What frequently served manifests name, as long as those are kept. */
  readonly #children = new WeakMap<Uint8Array, readonly Digest[]>();
  #revision = 0;

  /** Grows whenever there is something else to keep across restarts. */
  get revision(): number {
    return this.#revision + this.held.revision;
  }

  /** A client of this node asks for content of a repository, whether it is there or not. */
  noteAsked(repository: string, digest: Digest): void {
    note(this.#asked, repository, digest);
  }

  /**
   * Repositories in which clients of this node recently asked for the content; none if there are
   * too many to remember.
   */
  askedFor(digest: Digest): readonly string[] {
    const names = this.#asked.get(digest);
    return names === undefined || names.size >= MAX_NAMES ? [] : [...names];
  }

  /**
   * A client of this node was given this manifest: its repository names the content that it names.
   */
  claimManifest(repository: string, manifest: Uint8Array): void {
    let children = this.#children.get(manifest);
    if (children === undefined) {
      children = manifestChildren(manifest).map(({ digest }) => digest);
      this.#children.set(manifest, children);
    }
    for (const digest of children) note(this.#told, repository, digest);
  }

  /** The repositories that a label may mean, judging by what clients of this node asked for. */
  withPort(digest: Digest, name: string): string[] {
    return this.askedFor(digest).filter((asked) => portless(asked) === name);
  }

  /** Notes content of images, or replaces all of it. */
  adopt(digests?: Iterable<Digest>): void {
    for (const digest of digests ?? [...this.#restored.keys(), ...this.#proofs.keys()]) {
      if (this.held.of(digest) === undefined) continue;
      for (const name of take(this.#restored, digest)) this.held.claim(digest, name);
      for (const name of take(this.#proofs, digest)) this.prove(name, digest);
    }
  }

  /** Upstream has the content in this repository. */
  prove(repository: string, digest: Digest): void {
    if (this.isProven(repository, digest)) return;
    const claims = this.held.of(digest);
    if (claims === undefined) {
      const names = this.#proofs.get(digest);
      const [oldest] = names ?? [];
      if (names?.size === MAX_NAMES && oldest !== undefined) names.delete(oldest);
      note(this.#proofs, repository, digest);
      return;
    }
    this.held.prove(digest, repository);
    if (isContested(this.held.of(digest))) this.#revision++;
  }

  /** Tells whether upstream said that a repository has the content. */
  isProven(repository: string, digest: Digest): boolean {
    return this.held.of(digest)?.list.some(({ name, proven }) => proven && name === repository) ??
      this.#proofs.get(digest)?.has(repository) === true;
  }

  /**
   * The repositories that name content that is held or that upstream was asked about; undefined if
   * there is none.
   */
  claims(digest: Digest): Claims | undefined {
    const claims = this.held.of(digest);
    if (claims !== undefined) return claims;
    const proofs = this.#proofs.get(digest);
    return proofs && { list: [...proofs].map(proven), overflow: false };
  }

  /**
   * All repositories that name the content, also those whose manifests clients of this node were
   * given.
   */
  named(digest: Digest): Claims["list"] {
    const list = this.claims(digest)?.list ?? [];
    const told = this.#told.get(digest);
    if (told === undefined) return list;
    const others = [...told].filter((name) => !list.some((claim) => claim.name === name));
    return [...list, ...others.map((name) => ({ ...proven(name), proven: false }))];
  }

  /** What is to be kept across restarts. */
  kept(): KeptContent {
    const proofs: Entry[] = [];
    const claims: Entry[] = entriesOf(this.#restored);
    for (const [digest, known] of this.held.entries()) {
      for (const { name, proven, portless } of known.list) {
        const isTold = known.list.length === 1 && this.held.samplesOf(name).length > 0;
        if (proven && isContested(known)) proofs.push([name, digest]);
        else if (!portless && !isTold) claims.push([name, digest]);
      }
    }
    return { proofs: proofs.slice(0, MAX_KEPT), claims: claims.slice(0, MAX_KEPT) };
  }

  /** Content that was claimed before a restart and is of no image. */
  restored(): Digest[] {
    return [...this.#restored.keys()];
  }

  /** Content is no longer held. */
  forget(digest: Digest): void {
    this.held.forget(digest);
    this.#restored.delete(digest);
  }

  /** Adds what was kept. */
  restore({ proofs, claims }: KeptContent): void {
    for (const [name, digest] of proofs) note(this.#proofs, name, digest);
    for (const [name, digest] of claims) note(this.#restored, name, digest);
  }
}

function isContested(claims: Claims | undefined): boolean {
  return claims !== undefined &&
    (claims.list.length > 1 || claims.overflow || claims.list.some(({ weak }) => weak));
}

function proven(name: string) {
  return { name, proven: true, weak: false, portless: false };
}

function note(cache: LRUCache<Digest, Set<string>>, name: string, digest: Digest): void {
  const names = cache.get(digest) ?? new Set();
  if (names.size < MAX_NAMES) names.add(name);
  cache.set(digest, names);
}

function take(cache: LRUCache<Digest, Set<string>>, digest: Digest): Iterable<string> {
  const names = cache.get(digest) ?? [];
  cache.delete(digest);
  return names;
}

function entriesOf(cache: LRUCache<Digest, Set<string>>): Entry[] {
  return [...cache].flatMap(([digest, names]) => [...names].map((name): Entry => [name, digest]));
}
