import { type Digest, isDigest } from "../oci/digest.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import { parseReference, referenceKey } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Router } from "../ports/router.ts";
import type { Store, StoredImage } from "../ports/store.ts";
import type { StoreEvent, Watcher } from "../ports/watcher.ts";
import { type KeyChange, KeyLedger } from "./key_ledger.ts";
import { NAMELESS, NamelessImages } from "./nameless_images.ts";

export interface AdvertiserCollaborators {
  readonly watcher: Watcher;
  /** Tells whether content without an image is still held. */
  readonly store: Pick<Store, "descriptor">;
  readonly router: Pick<Router, "advertise" | "withdraw">;
  /** Tells whether content is damaged and must not be advertised; default: none is. */
  readonly isDamaged?: (digest: Digest) => boolean;
  /** The filter that also applies to requests. */
  readonly filter: ReferenceFilter;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "advertised">;
  readonly clock: Pick<Clock, "now">;
}

export interface AdvertiserOptions {
  /**
   * How long content without an image, such as layers of a pull in progress, stays advertised, ms.
   * Default 15 minutes.
   */
  readonly looseContentMs?: number;
}

/** Advertised keys of an image. */
export interface AdvertisedKeys {
  /** Name of the image; undefined for content without one. */
  readonly image: string | undefined;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

const IMAGE_PREFIX = "image:";
/** Maximum tracked digests without an image. */
const MAX_LOOSE = 10_000;

/** Keeps the router's advertisements equal to what the node holds and the filter allows. */
export class Advertiser {
  readonly #with: AdvertiserCollaborators;
  readonly #looseContentMs: number;
  readonly #nameless: NamelessImages;
  readonly #ledger = new KeyLedger();
  /** Filtered content, by image. */
  readonly #withheld = new KeyLedger();
  /** Last known state of each image. */
  readonly #images = new Map<string, StoredImage>();
  /** Content without an image, with its time of arrival. */
  readonly #loose = new Map<Digest, number>();
  /** Filtered content without an image. */
  readonly #looseWithheld = new Set<Digest>();
  #synced = false;

  constructor(collaborators: AdvertiserCollaborators, options: AdvertiserOptions = {}) {
    this.#with = collaborators;
    this.#nameless = new NamelessImages(collaborators.log);
    this.#looseContentMs = options.looseContentMs ?? 15 * 60_000;
  }

  /** True once everything held at the start is advertised. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Keys advertised at present. */
  keys(): readonly string[] {
    return this.#ledger.keys();
  }

  /**
   * Tells whether a reference may be served: the filter must allow it, and must also allow its
   * content under some name on this node. So filtered content cannot be had under another name.
   */
  readonly serves: ReferenceFilter = (reference) => {
    const { digest } = reference;
    if (!this.#with.filter(reference)) return false;
    return digest === undefined || !this.#withheld.has(digest) || this.#ledger.has(digest);
  };

  /** Whether a digest is advertised at present. */
  has(digest: Digest): boolean {
    return this.#ledger.has(digest);
  }

  /** Updates the advertisements after content was found damaged, or sound again. */
  async review(digest: Digest): Promise<void> {
    const images = [...this.#images.values()].filter(({ present }) => present.includes(digest));
    await this.#publish([
      ...images.map((image) => this.#ledger.set(imageOwner(image.name), this.#imageKeys(image))),
      ...(this.#isDamaged(digest) ? this.#adopt([digest]) : []),
    ]);
  }

  /** Advertised keys by image, and those without an image. */
  advertised(): AdvertisedKeys[] {
    const loose: string[] = [];
    const images: AdvertisedKeys[] = [];
    for (const [owner, keys] of this.#ledger.entries()) {
      if (!owner.startsWith(IMAGE_PREFIX)) loose.push(...keys);
      else images.push({ image: owner.slice(IMAGE_PREFIX.length), ...splitKeys(keys) });
    }
    return loose.length === 0 ? images : [...images, { image: undefined, ...splitKeys(loose) }];
  }

  /** Numbers of advertised digests and tags. */
  counts(): { digests: number; tags: number } {
    const { digests, tags } = splitKeys(this.#ledger.keys());
    return { digests: digests.length, tags: tags.length };
  }

  /** Follows the watcher until the signal aborts. */
  async run({ signal }: Cancellable): Promise<void> {
    for await (const event of this.#with.watcher.watch({ signal })) {
      try {
        await this.#handle(event, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#with.log.error("could not handle a store event", { event: event.type, error });
      }
    }
  }

  async #handle(event: StoreEvent, signal: AbortSignal): Promise<void> {
    switch (event.type) {
      case "sync":
        await this.#publish(await this.#sync(event.images, signal));
        this.#synced = true;
        break;
      case "image":
        this.#images.set(event.image.name, event.image);
        await this.#publish([
          this.#ledger.set(imageOwner(event.image.name), this.#imageKeys(event.image)),
          ...this.#adopt(event.image.present),
        ]);
        break;
      case "delete":
        this.#images.delete(event.name);
        this.#withheld.set(imageOwner(event.name), []);
        await this.#publish([this.#ledger.set(imageOwner(event.name), [])]);
        break;
      case "content": {
        const { digest, sources } = event;
        const passes = sources.some((source) => this.#with.filter({ ...source, digest }));
        if (passes) this.#release(digest);
        else if (sources.length > 0) this.#withhold(digest);
        if (passes && !this.#withheld.has(digest) && !this.#isDamaged(digest)) {
          await this.#publish([...this.#addLoose(digest)]);
        }
        break;
      }
    }
  }

  /** Replaces all images; content without one stays while it is recent and held. */
  async #sync(images: readonly StoredImage[], signal: AbortSignal): Promise<KeyChange[]> {
    this.#nameless.report(images);
    const owners = new Set(images.map((image) => imageOwner(image.name)));
    this.#images.clear();
    for (const image of images) this.#images.set(image.name, image);
    const changes = images.map((image) =>
      this.#ledger.set(imageOwner(image.name), this.#imageKeys(image))
    );
    for (const owner of this.#ledger.owners(IMAGE_PREFIX)) {
      if (!owners.has(owner)) changes.push(this.#ledger.set(owner, []));
    }
    for (const owner of this.#withheld.owners(IMAGE_PREFIX)) {
      if (!owners.has(owner)) this.#withheld.set(owner, []);
    }
    changes.push(...this.#adopt(images.flatMap((image) => image.present)));
    for (const [digest, since] of this.#loose) {
      const isRecent = this.#with.clock.now() - since < this.#looseContentMs;
      if (isRecent && await this.#isThere(digest, signal)) continue;
      changes.push(...this.#adopt([digest]));
    }
    for (const digest of this.#looseWithheld) {
      if (!await this.#isThere(digest, signal)) this.#release(digest);
    }
    return changes;
  }

  /** A failing store is not a reason to withdraw. */
  async #isThere(digest: Digest, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#with.store.descriptor(digest, { signal }) !== undefined;
    } catch (error) {
      this.#with.log.debug("could not ask the store for content", { digest, error });
      return true;
    }
  }

  #isDamaged(digest: Digest): boolean {
    return this.#with.isDamaged?.(digest) === true;
  }

  /** An image's keys that the filter allows: its tag and its present content. */
  #imageKeys(image: StoredImage): string[] {
    // The runtime's additional names of images by digest.
    if (isDigest(image.name)) return [];
    const reference = parseReference(image.name) ?? NAMELESS;
    const { registry, repository, tag, digest } = reference;
    const passes = (digest: Digest) =>
      this.#with.filter({ registry, repository, digest, portless: reference === NAMELESS });
    const keys: string[] = image.present.filter((digest) =>
      passes(digest) && !this.#isDamaged(digest)
    );
    const withheld = image.present.filter((digest) => !passes(digest));
    this.#withheld.set(imageOwner(image.name), withheld);
    // A tag is useful only to peers that may also fetch its target.
    const isTag = tag !== undefined && digest === undefined && keys.includes(image.target);
    if (isTag && this.#with.filter(reference)) keys.push(referenceKey(reference));
    return keys;
  }

  *#addLoose(digest: Digest): Generator<KeyChange> {
    if (this.#ledger.has(digest)) return;
    const [oldest] = this.#loose.keys();
    if (this.#loose.size >= MAX_LOOSE && oldest !== undefined) yield* this.#adopt([oldest]);
    this.#loose.set(digest, this.#with.clock.now());
    yield this.#ledger.set(contentOwner(digest), [digest]);
  }

  /** Filtered content must not be served under another name, even before it has an image. */
  #withhold(digest: Digest): void {
    const [oldest] = this.#looseWithheld;
    if (this.#looseWithheld.size >= MAX_LOOSE && oldest !== undefined) this.#release(oldest);
    this.#looseWithheld.add(digest);
    this.#withheld.set(contentOwner(digest), [digest]);
  }

  #release(digest: Digest): void {
    if (this.#looseWithheld.delete(digest)) this.#withheld.set(contentOwner(digest), []);
  }

  /** Forgets content without an image: it has one now, or was removed. */
  *#adopt(digests: readonly Digest[]): Generator<KeyChange> {
    for (const digest of digests) {
      this.#release(digest);
      if (this.#loose.delete(digest)) yield this.#ledger.set(contentOwner(digest), []);
    }
  }

  /** Publishes the net change: a key that moved between owners did not change. */
  async #publish(changes: readonly KeyChange[]): Promise<void> {
    const touched = new Set(changes.flatMap(({ added, removed }) => [...added, ...removed]));
    const added = new Set(changes.flatMap((change) => change.added));
    const removed = new Set(changes.flatMap((change) => change.removed));
    const advertise = [...touched].filter((key) =>
      this.#ledger.has(key) && added.has(key) && !removed.has(key)
    );
    const withdraw = [...touched].filter((key) =>
      !this.#ledger.has(key) && removed.has(key) && !added.has(key)
    );
    if (advertise.length > 0) await this.#with.router.advertise(advertise);
    if (withdraw.length > 0) await this.#with.router.withdraw(withdraw);
    if (advertise.length + withdraw.length === 0) return;
    this.#with.metrics.advertised(this.counts());
    this.#with.log.debug("advertisements changed", {
      advertised: advertise.length,
      withdrawn: withdraw.length,
    });
  }
}

function imageOwner(name: string): string {
  return `${IMAGE_PREFIX}${name}`;
}

function contentOwner(digest: Digest): string {
  return `content:${digest}`;
}

function splitKeys(keys: Iterable<string>): { tags: string[]; digests: string[] } {
  const tags: string[] = [];
  const digests: string[] = [];
  for (const key of keys) (isDigest(key) ? digests : tags).push(key);
  return { tags, digests };
}
