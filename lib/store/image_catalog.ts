import { tap } from "../async/tap.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { Catalog, HeldTag } from "../ports/catalog.ts";
import type { StoredImage } from "../ports/store.ts";
import type { StoreEvent, Watcher } from "../ports/watcher.ts";

/** The most images and referrers that are listed, some 200 bytes each. */
const MAX_IMAGES = 50_000;
const MAX_REFERRERS = 50_000;

/** The most images that are looked at for what is related, and referrers that are told of it. */
const MAX_LOOKS = 1000;
const MAX_RELATED = 8;

const NAMELESS = "";

type Repository = Pick<Reference, "registry" | "repository">;

/** What is known of one image. */
interface Entry {
  readonly image: StoredImage;
  /** Undefined: the name has no registry. */
  readonly reference: Reference | undefined;
}

/** Knows tags and referrers from the events of a store, as its images come and go. */
export class ImageCatalog implements Catalog {
  readonly #entries = new Map<string, Entry>();
  /** Names of images, by repository; those without a registry below {@link NAMELESS}. */
  readonly #repositories = new Map<string, Set<string>>();
  /** Names of images with referrers, by subject. */
  readonly #subjects = new Map<Digest, Set<string>>();
  #referrers = 0;

  /** A watcher that passes all events on, and tells this catalog. */
  follow(watcher: Watcher): Watcher {
    return {
      watch: (options) => tap(watcher.watch(options), (event) => this.#note(event)),
    };
  }

  /** {@inheritDoc Catalog.tags} */
  tags(repository: Repository): readonly HeldTag[] {
    const tags: HeldTag[] = [];
    for (const name of this.#repositories.get(keyOf(repository)) ?? []) {
      const { image, reference } = this.#entries.get(name) ?? {};
      const { tag, digest } = reference ?? {};
      if (image === undefined || tag === undefined || digest !== undefined) continue;
      if (image.present.includes(image.target)) tags.push({ tag, target: image.target });
    }
    return tags.sort((a, b) => a.tag < b.tag ? -1 : 1);
  }

  /** {@inheritDoc Catalog.referrers} */
  referrers(repository: Repository, subject: Digest): readonly Digest[] {
    const key = keyOf(repository);
    const found = new Set<Digest>();
    for (const name of this.#subjects.get(subject) ?? []) {
      const { image, reference } = this.#entries.get(name) ?? {};
      if (reference !== undefined && keyOf(reference) !== key) continue;
      for (const referrer of image?.referrers ?? []) {
        if (referrer.subject === subject) found.add(referrer.digest);
      }
    }
    return [...found].sort();
  }

  /** {@inheritDoc Catalog.relatedReferrers} */
  relatedReferrers(repository: Repository, manifest: Digest): readonly Digest[] {
    const found = new Set<Digest>();
    let looks = 0;
    const keys = [keyOf(repository), NAMELESS];
    for (const name of keys.flatMap((key) => [...this.#repositories.get(key) ?? []])) {
      const { present = [], referrers = [] } = this.#entries.get(name)?.image ?? {};
      if (++looks > MAX_LOOKS || found.size >= MAX_RELATED) break;
      if (referrers.some(({ digest }) => digest === manifest)) return [manifest];
      if (!present.includes(manifest)) continue;
      for (const part of present) {
        if (!this.#subjects.has(part)) continue;
        for (const digest of this.referrers(repository, part)) found.add(digest);
      }
    }
    return [...found].slice(0, MAX_RELATED);
  }

  #note(event: StoreEvent): void {
    switch (event.type) {
      case "sync":
        this.#entries.clear();
        this.#repositories.clear();
        this.#subjects.clear();
        this.#referrers = 0;
        for (const image of event.images) this.#add(image);
        break;
      case "image":
        this.#remove(event.image.name);
        this.#add(event.image);
        break;
      case "delete":
        this.#remove(event.name);
        break;
      case "content":
        break;
    }
  }

  #add(image: StoredImage): void {
    const { name, referrers = [] } = image;
    // Names by digest are additional ones of the runtime.
    if (isDigest(name) || this.#entries.size >= MAX_IMAGES) return;
    const fits = this.#referrers + referrers.length <= MAX_REFERRERS;
    const noted = fits ? image : { ...image, referrers: [] };
    const reference = parseReference(name);
    this.#entries.set(name, { image: noted, reference });
    addTo(this.#repositories, keyOf(reference), name);
    for (const { subject } of noted.referrers ?? []) addTo(this.#subjects, subject, name);
    this.#referrers += noted.referrers?.length ?? 0;
  }

  #remove(name: string): void {
    const { image, reference } = this.#entries.get(name) ?? {};
    this.#entries.delete(name);
    removeFrom(this.#repositories, keyOf(reference), name);
    for (const { subject } of image?.referrers ?? []) removeFrom(this.#subjects, subject, name);
    this.#referrers -= image?.referrers?.length ?? 0;
  }
}

function keyOf(repository: Repository | undefined): string {
  return repository === undefined ? NAMELESS : `${repository.registry}/${repository.repository}`;
}

function addTo<Key>(index: Map<Key, Set<string>>, key: Key, name: string): void {
  const names = index.get(key);
  if (names === undefined) index.set(key, new Set([name]));
  else names.add(name);
}

function removeFrom<Key>(index: Map<Key, Set<string>>, key: Key, name: string): void {
  const names = index.get(key);
  if (names?.delete(name) && names.size === 0) index.delete(key);
}
