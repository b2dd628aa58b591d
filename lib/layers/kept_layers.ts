import type { Digest } from "../oci/digest.ts";
import type { ReleaseReason } from "../ports/layers.ts";

/** A layer that is kept, or is to be. */
interface KeptLayer {
  /** Bytes; undefined until the store has it. */
  size: number | undefined;
  /** The store has recorded that it is kept. */
  recorded: boolean;
  /** When it was last pulled, or found, ms. */
  since: number;
  /** When it was last pulled, found or sent to a peer, ms. */
  usedAt: number;
  /** `awaited`: no image has named it since then. `displaced`: nor may it be awaited any longer. */
  state: "awaited" | "displaced" | "named";
}

/** A layer to release. */
export interface Release {
  readonly digest: Digest;
  readonly reason: ReleaseReason;
}

/** Settings of {@link KeptLayers}. */
export interface KeptLayersOptions {
  /** How long a layer without an image is kept after it was pulled, ms. */
  readonly awaitMs: number;
  /** The longest that it is kept if pulls go on, ms. */
  readonly maxAwaitMs: number;
  /** The most layers that are awaited; the longest awaited one makes room. */
  readonly maxAwaited: number;
}

/**
 * How long a node's layers are awaited. A pull may take long; containerd keeps what it pulls for a day
 * (client/lease.go). A node pulls a few images at a time.
 */
export const AWAITING: KeptLayersOptions = {
  awaitMs: 3_600_000,
  maxAwaitMs: 24 * 3_600_000,
  maxAwaited: 1_000,
};

/** The layers that are kept, and the order in which they are let go. */
export class KeptLayers {
  readonly #options: KeptLayersOptions;
  readonly #layers = new Map<Digest, KeptLayer>();
  /** Those in the state `awaited`, the longest awaited one first. */
  readonly #awaited = new Set<Digest>();
  #present = 0;
  #bytes = 0;
  #pullingAt = -Infinity;

  constructor(options: KeptLayersOptions) {
    this.#options = options;
  }

  /** Number of layers that the store has, and their bytes. */
  totals(): { readonly layers: number; readonly bytes: number } {
    return { layers: this.#present, bytes: this.#bytes };
  }

  get size(): number {
    return this.#layers.size;
  }

  /** What the store has not recorded yet. */
  unrecorded(): Digest[] {
    return this.#all().filter(([, { recorded }]) => !recorded).map(([digest]) => digest);
  }

  /** What the store has recorded, each as {@link get} returns it. */
  recorded(): Map<Digest, object> {
    return new Map(this.#all().filter(([, { recorded }]) => recorded));
  }

  /** The layer as it was last pulled or found; undefined if it is not kept. */
  get(digest: Digest): object | undefined {
    return this.#layers.get(digest);
  }

  has(digest: Digest): boolean {
    return this.#layers.has(digest);
  }

  /** Whether the store has recorded that it is kept, and no image has named it since. */
  isRecordedAndAwaited(digest: Digest): boolean {
    const layer = this.#layers.get(digest);
    return layer?.recorded === true && layer.state === "awaited";
  }

  /** Adds a layer that is pulled or was found, or notes that it is pulled again. */
  await(digest: Digest, now: number, { recorded }: { recorded: boolean }): void {
    const before = this.#layers.get(digest);
    this.#layers.set(digest, {
      size: before?.size,
      recorded,
      since: now,
      usedAt: now,
      state: "awaited",
    });
    this.#awaited.delete(digest);
    this.#awaited.add(digest);
    this.#boundAwaited();
  }

  /** The store has recorded that it is kept. */
  record(digest: Digest): void {
    const layer = this.#layers.get(digest);
    if (layer !== undefined) layer.recorded = true;
  }

  /** Layers whose content has not been seen in the store. */
  missing(): Digest[] {
    return this.#all().filter(([, { size }]) => size === undefined).map(([digest]) => digest);
  }

  /** The store has it. */
  arrived(digest: Digest, size: number): void {
    const layer = this.#layers.get(digest);
    if (layer === undefined || layer.size !== undefined) return;
    layer.size = size;
    this.#present++;
    this.#bytes += size;
  }

  used(digest: Digest, now: number): void {
    const layer = this.#layers.get(digest);
    if (layer !== undefined) layer.usedAt = now;
  }

  /** An image has it, so that it is to be released with its last image. */
  named(digest: Digest): void {
    const layer = this.#layers.get(digest);
    if (layer === undefined) return;
    layer.state = "named";
    this.#awaited.delete(digest);
  }

  forget(digest: Digest): void {
    const size = this.#layers.get(digest)?.size;
    this.#layers.delete(digest);
    this.#awaited.delete(digest);
    if (size === undefined) return;
    this.#present--;
    this.#bytes -= size;
  }

  /** Whether a layer without an image is to be released, unless pulls go on. */
  hasLate(now: number): boolean {
    const longest = this.#longestAwaited();
    return longest !== undefined && this.#isLate(longest.layer, now);
  }

  /** Pulls go on: what has no image may be of them, and is awaited as long again. */
  pulling(now: number): void {
    this.#pullingAt = now;
  }

  /** What no image names any more, or none has named in time. */
  unnamed(named: ReadonlySet<Digest>, now: number): Release[] {
    return this.#all().flatMap(([digest, layer]): Release[] => {
      if (named.has(digest)) {
        this.named(digest);
        return [];
      }
      if (layer.state === "named") return [{ digest, reason: "image-removed" }];
      return layer.state === "displaced" || this.#isLate(layer, now)
        ? [{ digest, reason: "never-pulled" }]
        : [];
    });
  }

  /** What must go for no more than `maxBytes` to be kept: the least recently served first. */
  beyond(maxBytes: number): Release[] {
    const surplus = this.totals().bytes - maxBytes;
    return this.#freeing(surplus, (layer) => layer.usedAt)
      .map((digest) => ({ digest, reason: "budget" }));
  }

  /** What must go for so many bytes to become free: the oldest first. */
  oldest(bytes: number): Release[] {
    return this.#freeing(bytes, (layer) => layer.since)
      .map((digest) => ({ digest, reason: "disk-pressure" }));
  }

  #isLate({ since }: KeptLayer, now: number): boolean {
    const { awaitMs, maxAwaitMs } = this.#options;
    return now - since > maxAwaitMs || now - Math.max(since, this.#pullingAt) > awaitMs;
  }

  #boundAwaited(): void {
    if (this.#awaited.size <= this.#options.maxAwaited) return;
    const longest = this.#longestAwaited();
    if (longest === undefined) return;
    longest.layer.state = "displaced";
    this.#awaited.delete(longest.digest);
  }

  #longestAwaited(): { readonly digest: Digest; readonly layer: KeptLayer } | undefined {
    const [digest] = this.#awaited;
    const layer = digest && this.#layers.get(digest);
    return layer && { digest, layer };
  }

  #freeing(bytes: number, rank: (layer: KeptLayer) => number): Digest[] {
    const freed: Digest[] = [];
    let left = bytes;
    for (const [digest, layer] of this.#all().toSorted(([, a], [, b]) => rank(a) - rank(b))) {
      if (left <= 0) break;
      if (layer.size === undefined) continue;
      freed.push(digest);
      left -= layer.size;
    }
    return freed;
  }

  #all(): [Digest, KeptLayer][] {
    return [...this.#layers];
  }
}
