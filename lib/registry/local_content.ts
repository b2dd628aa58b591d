import { LRUCache } from "lru-cache";
import { deadline } from "../async/deadline.ts";
import { expiringCache } from "../async/expiring_cache.ts";
import { Slots } from "../async/slots.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, hasDigest } from "../oci/digest.ts";
import { isManifestMediaType, MAX_MANIFEST_BYTES } from "../oci/media_type.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { ByteRange } from "../oci/range.ts";
import { formatReference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";
import type { Integrity } from "../ports/integrity.ts";
import type { Content } from "./answer.ts";

/** Collaborators of {@link LocalContent}. */
export interface LocalContentCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly store: Store;
  /** Told of content that does not match its digest; default: damage is not reported. */
  readonly integrity?: Pick<Integrity, "doubt"> | undefined;
}

/** Settings of {@link LocalContent}. */
export interface LocalContentOptions {
  /** How long the store may take to answer before content counts as not held. */
  storeTimeoutMs: number;
  /** Blobs, or parts of them, up to this many bytes are read whole before they are sent. */
  smallBlobBytes: number;
}

/** What the store says about a path. */
export type LocalFinding =
  | { readonly state: "held"; readonly descriptor: Descriptor }
  /** Held, but of the other kind: a manifest at `/blobs/`, or anything else at `/manifests/`. */
  | { readonly state: "misplaced" }
  /** `resolved`: the store knows the tag, yet does not hold the manifest that it points to. */
  | { readonly state: "absent"; readonly resolved?: Digest };

/** A content stream that follows a signal until it is released. */
export interface OpenContent {
  /** Bytes if there are few. */
  readonly body: Content | Uint8Array<ArrayBuffer>;
  readonly release: () => void;
}

/** A store that is down fails each request: it is logged once in this time, ms. */
const WARN_EVERY_MS = 10_000;
/** How long content that was found is taken to be still held, ms, and for how many digests. */
const HELD_MS = 1000;
const MAX_HELD = 4096;
/** Size of the cache of manifests, bytes: thousands of common ones. */
const MANIFEST_CACHE_BYTES = 8 * 1024 * 1024;
/** How long small blobs that were verified are not hashed again, ms, and for how many digests. */
const SOUND_MS = 60_000;
const MAX_SOUND = 4096;
/** So many are read whole at the same time, which bounds the memory for what is not sent yet. */
const READS = 4;
const ABSENT: LocalFinding = { state: "absent" };

/** Content of the own store. If the store fails or hangs, content counts as not held. */
export class LocalContent {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #storeTimeoutMs: number;
  readonly #smallBlobBytes: number;
  readonly #manifests = new LRUCache<Digest, Uint8Array<ArrayBuffer>>({
    maxSize: MANIFEST_CACHE_BYTES,
    sizeCalculation: ({ length }) => length + 1,
  });
  readonly #held: LRUCache<Digest, Descriptor>;
  /** Small blobs that count as verified. */
  readonly #sound: LRUCache<Digest, true>;
  readonly #integrity: Pick<Integrity, "doubt"> | undefined;
  readonly #reads = new Slots(READS);
  #warnedAt = -Infinity;
  #suppressed = 0;

  constructor(
    { store, log, clock, integrity }: LocalContentCollaborators,
    options: LocalContentOptions,
  ) {
    this.#integrity = integrity;
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
    this.#held = expiringCache(clock, { max: MAX_HELD, ttlMs: HELD_MS });
    this.#sound = expiringCache(clock, { max: MAX_SOUND, ttlMs: SOUND_MS });
    this.#storeTimeoutMs = options.storeTimeoutMs;
    this.#smallBlobBytes = options.smallBlobBytes;
  }

  /**
   * Finds what a path names. A tag is held only if the manifest that it points to is: an answer by
   * the name alone could name a digest that no peer delivers.
   *
   * A manifest is served at `/manifests/` only and everything else at `/blobs/` only. containerd
   * chooses the endpoint by the media type, and when it falls back from `/manifests/` to `/blobs/`
   * it would take a manifest for an opaque blob.
   *
   * Content that was found a moment ago is not looked up again, as for a range, a config, or the
   * manifest after its tag. Rejects only with the signal's reason, when that aborts.
   */
  async find(path: DistributionPath, options: Cancellable): Promise<LocalFinding> {
    const { digest } = path.reference;
    let resolved: Digest | undefined;
    const finding = this.#recent(digest) ??
      await this.#attempt("look up content", options.signal, async (signal) => {
        resolved = digest ?? await this.#store.resolve(formatReference(path.reference), { signal });
        return resolved && await this.#store.descriptor(resolved, { signal });
      });
    if (finding === undefined) return resolved ? { state: "absent", resolved } : ABSENT;
    if (resolved !== undefined) {
      this.#held.set(resolved, finding);
    }
    const isManifest = isManifestMediaType(finding.mediaType);
    return isManifest === (path.kind === "manifest")
      ? { state: "held", descriptor: finding }
      : { state: "misplaced" };
  }

  /**
   * Reads a manifest whole and checks it against its digest; undefined if it is not held, or is
   * damaged. A manifest that was read before is not read again as long as it is held, so the bytes
   * must not be changed. Rejects only with the signal's reason, when that aborts.
   */
  async readManifest(
    descriptor: Descriptor,
    options: Cancellable,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const known = this.#manifests.get(descriptor.digest);
    if (known !== undefined) return known;
    return await this.#attempt("read manifest", options.signal, async (signal) => {
      return await this.#reads.run(async () => {
        signal.throwIfAborted();
        // Somebody else may have read it meanwhile.
        const known = this.#manifests.get(descriptor.digest);
        if (known !== undefined) return known;
        const stream = await this.#store.open(descriptor.digest, { signal, held: descriptor });
        if (stream === undefined) return undefined;
        const bytes = await readAll(stream, descriptor.size);
        this.#verify(descriptor.digest, bytes);
        this.#manifests.set(descriptor.digest, bytes);
        return bytes;
      });
    });
  }

  /**
   * Opens a blob or a part of it; undefined if it is not held. A small one is read at once, and
   * verified: head and body are then sent in one segment, which costs less and never waits for the
   * acknowledgement of the head (RFC 896, which Deno up to 2.6 follows). A stream follows the
   * signal until it is released. Rejects only with the signal's reason, when that aborts.
   */
  async openBlob(
    descriptor: Descriptor,
    options: Cancellable & { readonly range: ByteRange | undefined },
  ): Promise<OpenContent | undefined> {
    const { range, signal } = options;
    const limit = deadline(this.#storeTimeoutMs, { signal });
    const release = () => limit[Symbol.dispose]();
    try {
      const body = await this.#store.open(descriptor.digest, {
        signal: limit.signal,
        held: descriptor,
        ...(range ? { range } : {}),
      });
      const length = range ? range.end - range.start + 1 : descriptor.size;
      if (body !== undefined && length <= this.#smallBlobBytes) {
        const bytes = await this.#reads.run(() => readAll(body, length));
        if (range === undefined) this.#verifyNowAndThen(descriptor.digest, bytes);
        return { body: bytes, release };
      }
      limit.clear();
      if (body !== undefined) return { body, release };
      release();
    } catch (error) {
      release();
      signal.throwIfAborted();
      this.#warn("open blob", error);
    }
    return undefined;
  }

  /** Whether the content was found a moment ago. */
  isAtHand({ reference: { digest } }: DistributionPath): boolean {
    return this.#recent(digest) !== undefined;
  }

  #verifyNowAndThen(digest: Digest, bytes: Uint8Array): void {
    if (this.#sound.has(digest)) return;
    this.#verify(digest, bytes);
    this.#sound.set(digest, true);
  }

  /** @throws if the content does not match its digest. */
  #verify(digest: Digest, bytes: Uint8Array): void {
    if (hasDigest(bytes, digest)) return;
    this.#integrity?.doubt(digest);
    throw new Error(`content of ${digest} in the store is damaged`);
  }

  #recent(digest: Digest | undefined): Descriptor | undefined {
    return digest && this.#held.get(digest);
  }

  async #attempt<T>(
    action: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    using limit = deadline(this.#storeTimeoutMs, { signal });
    try {
      return await work(limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#warn(action, error);
      return undefined;
    }
  }

  #warn(action: string, error: unknown): void {
    const now = this.#clock.now();
    if (now - this.#warnedAt < WARN_EVERY_MS) {
      this.#suppressed++;
      return;
    }
    this.#log.warn(`store could not ${action}, taken as not held`, {
      store: this.#store.name,
      error,
      suppressed: this.#suppressed,
    });
    this.#warnedAt = now;
    this.#suppressed = 0;
  }
}

/** Reads a stream that must have exactly `size` bytes. */
async function readAll(stream: Content, size: number): Promise<Uint8Array<ArrayBuffer>> {
  if (size > MAX_MANIFEST_BYTES) {
    await stream.cancel();
    throw new Error(`manifest has ${size} bytes, at most ${MAX_MANIFEST_BYTES} are served`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of stream) {
    if (at + chunk.length > size) throw new Error(`content has more than ${size} bytes`);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at < size) throw new Error(`content ended after ${at} of ${size} bytes`);
  return bytes;
}
