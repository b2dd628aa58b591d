import type { Digest } from "../oci/digest.ts";
import type { StoredImage } from "../ports/store.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import { portless, repositoryName } from "./repositories.ts";

/** A repository's claim to content. */
export interface Claim {
  /** The repository, as `repositoryName` formats it. */
  readonly name: string;
  /** Upstream said that the repository has it. */
  readonly proven: boolean;
  /** As far as is known, the content is not here because of this repository. */
  readonly weak: boolean;
  /** The registry may have a port, which the store does not record. */
  readonly portless: boolean;
}

/** The repositories that name some content. */
export interface Claims {
  readonly list: readonly Claim[];
  /** There were more than are remembered. */
  readonly overflow: boolean;
}

/** An image of a repository, to ask upstream about. */
export interface SampleImage {
  readonly reference: Reference;
  readonly target: Digest;
}

/** Tells whether a client of this node asked for content of a repository. */
export type WasAsked = (name: string, digest: Digest) => boolean;

const MAX_DIGESTS = 200_000;
const MAX_CLAIMS = 64;
const MAX_IMAGES = 50_000;
/** Images of a repository that upstream may be asked about: it may have removed some of them. */
const MAX_SAMPLES = 4;

/**
 * Knows which repositories name the content that this node holds, from its images and their
 * manifests. No request changes that. It remembers at most 200,000 digests, about 150 bytes each.
 * Content beyond that is unknown, and is refused. If more than 64 repositories name a digest, it is
 * known that there are more.
 */
export class HeldContent {
  #claims = new Map<Digest, Claims>();
  #images = new Map<string, StoredImage>();
  #samples = new Map<string, readonly SampleImage[]>();
  #revision = 0;

  /** Grows whenever more than one repository names some content. */
  get revision(): number {
    return this.#revision;
  }

  /** The repositories that name held content; undefined if none is known. */
  of(digest: Digest): Claims | undefined {
    return this.#claims.get(digest);
  }

  /** Some images of a repository, the latest first. */
  samplesOf(name: string): readonly SampleImage[] {
    return this.#samples.get(name) ?? [];
  }

  /** All claims. */
  entries(): Iterable<[Digest, Claims]> {
    return this.#claims;
  }

  /** The repositories that name any content. */
  names(): Set<string> {
    const names = new Set<string>();
    for (const { list } of this.#claims.values()) for (const { name } of list) names.add(name);
    return names;
  }

  /**
   * An image was made or changed.
   *
   * @returns its repository's name; undefined if the image's name is no reference.
   */
  note(image: StoredImage, wasAsked: WasAsked): string | undefined {
    const reference = parseReference(image.name);
    if (reference === undefined) return undefined;
    const name = repositoryName(reference);
    const before = this.#images.get(image.name);
    // Content that is added to an image that already exists was perhaps fetched for another image.
    const seen = before?.target === image.target ? new Set(before.present) : undefined;
    for (const digest of image.present) {
      const late = seen !== undefined && !seen.has(digest) && !wasAsked(name, digest);
      if (late || this.#find(digest, name)?.portless !== false) {
        this.#put(digest, { name, proven: false, weak: late, portless: false });
      }
    }
    if (before !== undefined || this.#images.size < MAX_IMAGES) {
      this.#images.set(image.name, image);
      this.#sample(image.name, image.target);
    }
    return name;
  }

  /**
   * Replaces all images. A claim of a repository that has no image here any more is kept as long as
   * the content is held, unless the repository is known to be public.
   */
  sync(
    images: readonly StoredImage[],
    wasAsked: WasAsked,
    allowsAnonymousPull: (name: string) => boolean,
  ): void {
    const before = this.#claims;
    const imagesBefore = this.#images;
    this.#claims = new Map();
    this.#images = new Map();
    this.#samples = new Map();
    for (const image of images) {
      const old = imagesBefore.get(image.name);
      if (old !== undefined) this.#images.set(image.name, old);
      this.note(image, wasAsked);
    }
    for (const [digest, { list, overflow }] of before) {
      for (const claim of list) {
        const own = this.#find(digest, claim.name);
        if (own !== undefined || claim.proven || !allowsAnonymousPull(claim.name)) {
          this.#put(digest, claim);
        }
      }
      const claims = this.#claims.get(digest);
      if (overflow && claims !== undefined) this.#claims.set(digest, { ...claims, overflow });
    }
  }

  /**
   * An image was removed. The claims of its repository stay until it is known which content is
   * held.
   */
  remove(imageName: string): void {
    if (!this.#images.delete(imageName)) return;
    this.#revision++;
    this.#samples = new Map();
    for (const { name, target } of this.#images.values()) this.#sample(name, target);
  }

  /** Adds content that is of no image. */
  loose(): Digest[] {
    const present = new Set<Digest>();
    for (const { present: parts } of this.#images.values()) {
      for (const digest of parts) present.add(digest);
    }
    return [...this.#claims.keys()].filter((digest) => !present.has(digest));
  }

  /** Content is no longer held. */
  forget(digest: Digest): void {
    this.#claims.delete(digest);
  }

  /** A label of held content names a repository, without its registry's port. */
  label(digest: Digest, name: string): void {
    this.#put(digest, { name, proven: false, weak: true, portless: true });
  }

  /**
   * A client of this node asked for the content in a repository, and a label names that repository,
   * too.
   */
  claim(digest: Digest, name: string): void {
    this.#put(digest, { name, proven: false, weak: false, portless: false });
  }

  /** Upstream has the content in a repository. */
  prove(digest: Digest, name: string): void {
    const { weak = true, portless = false } = this.#find(digest, name) ?? {};
    this.#put(digest, { name, proven: true, weak, portless });
  }

  /** A proven claim stays proven, and always finds room. A weak claim stays weak. */
  #put(digest: Digest, claim: Claim): void {
    const { list, overflow } = this.#claims.get(digest) ?? { list: [], overflow: false };
    if (list.length === 0 && this.#claims.size >= MAX_DIGESTS) return;
    if (list.some((other) => isCovered(claim, other))) return;
    const own = list.find(({ name }) => name === claim.name);
    const others = list.filter((other) => other !== own && !isCovered(other, claim));
    const merged = own === undefined ? claim : merge(own, claim);
    const isFull = others.length >= MAX_CLAIMS;
    if (isFull && merged.proven) {
      const spare = others.findIndex(({ proven }) => !proven);
      others.splice(Math.max(spare, 0), 1);
    }
    const next = isFull && !merged.proven ? others : [...others, merged];
    if (own === undefined && next.length > 1) this.#revision++;
    this.#claims.set(digest, { list: next, overflow: overflow || isFull });
  }

  #sample(imageName: string, target: Digest): void {
    const reference = parseReference(imageName);
    if (reference === undefined) return;
    const name = repositoryName(reference);
    const before = this.samplesOf(name);
    // An image often has several names; those with a tag tell more.
    const same = before.find((sample) => sample.target === target);
    if (same !== undefined && reference.tag === undefined) return;
    const others = before.filter((sample) => sample !== same);
    this.#samples.set(name, [{ reference, target }, ...others].slice(0, MAX_SAMPLES));
  }

  #find(digest: Digest, name: string): Claim | undefined {
    return this.#claims.get(digest)?.list.find((claim) => claim.name === name);
  }
}

/** Tells whether another claim names the same repository with its port. */
function isCovered(claim: Claim, other: Claim): boolean {
  return claim.portless && !other.portless && portless(other.name) === claim.name;
}

function merge(own: Claim, other: Claim): Claim {
  const precise = own.portless ? other : own;
  const isSame = own.portless === other.portless;
  return {
    name: own.name,
    proven: own.proven || other.proven,
    weak: isSame ? own.weak || other.weak : precise.weak,
    portless: own.portless && other.portless,
  };
}
