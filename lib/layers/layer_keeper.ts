import { link } from "../async/link.ts";
import { deadline } from "../async/deadline.ts";
import { tap } from "../async/tap.ts";
import type { Digest } from "../oci/digest.ts";
import { OCTET_STREAM } from "../oci/media_type.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Layers } from "../ports/layers.ts";
import type { Leases } from "../ports/leases.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { StoredImage } from "../ports/store.ts";
import type { StoreEvent, Watcher } from "../ports/watcher.ts";
import type { DiskLimits, DiskRoom } from "./disk_limits.ts";
import { AWAITING, KeptLayers, type Release } from "./kept_layers.ts";
import { Lookup, type LookupCollaborators } from "./lookup.ts";

/** Collaborators of {@link LayerKeeper}. */
export interface LayerKeeperCollaborators extends LookupCollaborators {
  readonly metrics: Pick<Metrics, "layersKept" | "layerReleased">;
  readonly limits: Pick<DiskLimits, "look">;
  readonly leases: Leases;
}

/** Layers that are kept; an image has ten or so. */
const MAX_KEPT = 20_000;
/** The longest that a pull waits until its layer is recorded, ms. */
const RECORD_MS = 1_500;
/** Events of one change come in bursts; one review after this delay covers them, ms. */
const COALESCE_MS = 200;
/** Interval of looks at the disk, ms: what is let go is collected in between. */
const DISK_MS = 30_000;
/** Longest interval of renewals, ms. */
const RENEW_MS = 30_000;
/** Renewals in half of the lifetime of a lease, at least: one may fail. */
const RENEWALS = 8;

/**
 * Keeps the layers of this node's images, which its runtime would discard once they are unpacked. A
 * layer is kept from the moment the runtime asks for it, before it arrives, and until the last image
 * that has it is gone. What is kept is known by the leases alone, so nothing is lost in a restart.
 */
export class LayerKeeper implements Layers {
  readonly #with: LayerKeeperCollaborators;
  readonly #lookup: Lookup;
  readonly #kept = new KeptLayers(AWAITING);
  /** Present content of each image. */
  readonly #images = new Map<string, readonly Digest[]>();
  /** Layers that are being recorded, each with its end. */
  readonly #recording = new Map<Digest, Promise<void>>();
  /** What images have and is not to be kept: it was let go, or there is no room. */
  readonly #unkept = new Set<Digest>();
  #room: DiskRoom = { maxBytes: Infinity, lackingBytes: 0 };
  #lookAt = -Infinity;
  /** What the last look at the disk found too much, and is to be let go. */
  #excessBytes = 0;
  #synced = false;
  /** Something may have to be released. */
  #changed = false;
  #failing = false;
  #wake = () => {};

  constructor(collaborators: LayerKeeperCollaborators) {
    this.#with = collaborators;
    this.#lookup = new Lookup(collaborators);
  }

  async expect(digest: Digest): Promise<void> {
    const isKnown = this.#kept.has(digest);
    if (!isKnown && !this.#hasRoom()) return;
    this.#unkept.delete(digest);
    // Of one pull, which may ask for its parts. Else another agent may have let it go since.
    const recorded = this.#kept.isRecordedAndAwaited(digest);
    this.#kept.await(digest, this.#with.clock.now(), { recorded });
    if (recorded) return;
    const recording = this.#recording.get(digest) ?? this.#record(digest);
    this.#recording.set(digest, recording);
    await recording;
  }

  served(digest: Digest): void {
    this.#kept.used(digest, this.#with.clock.now());
  }

  /** Number and bytes of the layers that are kept. */
  totals(): { readonly layers: number; readonly bytes: number } {
    return this.#kept.totals();
  }

  /** Passes all events on, and learns from them which images there are. */
  follow(watcher: Watcher): Watcher {
    return {
      watch: (options) => tap(watcher.watch(options), (event) => this.#note(event)),
    };
  }

  /** Renews the leases, and releases what no image has any more, until the signal aborts. */
  async run(options: Cancellable): Promise<void> {
    const { clock, leases } = this.#with;
    const { signal } = options;
    const intervalMs = Math.min(RENEW_MS, leases.lifetimeMs / 2 / RENEWALS);
    let renewAt = clock.now();
    while (!signal.aborted) {
      try {
        await this.#look();
        if (clock.now() >= renewAt) {
          renewAt = clock.now() + intervalMs;
          await this.#renew(options);
        }
        await this.#review(options);
        this.#succeeded();
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
      }
      await this.#pause(renewAt - clock.now(), options);
    }
  }

  #note(event: StoreEvent): void {
    switch (event.type) {
      case "sync":
        this.#images.clear();
        this.#unkept.clear();
        for (const image of event.images) this.#noteImage(image);
        this.#synced = true;
        break;
      case "image":
        this.#noteImage(event.image);
        break;
      case "delete":
        this.#images.delete(event.name);
        break;
      case "content":
        // What was pulled past Eddy: without a source it is of something else, such as a build.
        if (event.sources.length > 0) void this.#adoptSoon(event.digest);
    }
    this.#changed = true;
    this.#wake();
  }

  #noteImage({ name, present }: StoredImage): void {
    this.#images.set(name, present);
    // At once: the image may be removed before the next review.
    for (const digest of present) this.#kept.named(digest);
  }

  /** Whether more layers may be kept. */
  #hasRoom(): boolean {
    return this.#kept.size < MAX_KEPT && this.#room.lackingBytes === 0;
  }

  /** Before the pull that it is of ends, which holds it until then. */
  async #adoptSoon(digest: Digest): Promise<void> {
    using limit = deadline(RECORD_MS);
    await this.#adopt(digest, limit).catch((error) => this.#failed(error));
  }

  /** Keeps a layer that came past Eddy, if it is one and there is room. */
  async #adopt(digest: Digest, options: Cancellable): Promise<void> {
    if (this.#kept.has(digest) || this.#unkept.has(digest) || !this.#hasRoom()) return;
    const found = await this.#lookup.find(digest, options);
    if (found === undefined || this.#kept.has(digest)) return;
    // Manifests are kept by their image.
    const isLayer = found.mediaType === OCTET_STREAM;
    if (!isLayer || this.#kept.totals().bytes + found.size > this.#room.maxBytes) {
      this.#unkept.add(digest);
      return;
    }
    await this.expect(digest);
    this.#kept.arrived(digest, found.size);
  }

  async #record(digest: Digest): Promise<void> {
    using limit = deadline(RECORD_MS);
    try {
      await this.#with.leases.keep(digest, limit);
      this.#kept.record(digest);
    } catch (error) {
      // The next renewal keeps it, if it is still there.
      this.#failed(error);
    } finally {
      this.#recording.delete(digest);
    }
  }

  async #renew(options: Cancellable): Promise<void> {
    const { clock, leases } = this.#with;
    const recorded = this.#kept.recorded();
    const wanted = { added: this.#kept.unrecorded(), recorded: recorded.keys() };
    const kept = await leases.renew(wanted, options);
    // Of an agent that ran before, or runs beside.
    for (const digest of kept) {
      if (this.#kept.has(digest)) this.#kept.record(digest);
      else this.#kept.await(digest, clock.now(), { recorded: true });
    }
    for (const [digest, layer] of recorded) {
      if (kept.has(digest) || this.#kept.get(digest) !== layer) continue;
      // Another agent has let it go, and nobody has asked for it since.
      this.#kept.forget(digest);
      this.#unkept.add(digest);
    }
  }

  /** Brings what is kept in line with the images. */
  async #review(options: Cancellable): Promise<void> {
    this.#changed = false;
    if (!this.#synced) return;
    const named = new Set([...this.#images.values()].flat());
    for (const digest of this.#unkept) if (!named.has(digest)) this.#unkept.delete(digest);
    const now = this.#with.clock.now();
    const isPulling = this.#kept.hasLate(now) &&
      await this.#lookup.isAnyArriving(this.#kept.missing(), options);
    if (isPulling) this.#kept.pulling(now);
    await this.#release(this.#kept.unnamed(named, now), options);
    this.#lookup.begin();
    for (const digest of this.#kept.missing()) {
      const size = (await this.#lookup.find(digest, options))?.size;
      if (size !== undefined) this.#kept.arrived(digest, size);
    }
    await this.#trim(options);
    for (const digest of named) {
      await this.#adopt(digest, options);
      this.#kept.named(digest);
    }
    this.#with.metrics.layersKept(this.totals());
  }

  /** Looks at the disk, now and then; at first before anything is pulled. */
  async #look(): Promise<void> {
    const { clock, limits, log } = this.#with;
    if (clock.now() < this.#lookAt) return;
    this.#lookAt = clock.now() + DISK_MS;
    this.#room = await limits.look();
    this.#excessBytes = this.#room.lackingBytes;
    if (this.#excessBytes > 0) {
      log.warn("the disk fills up, the oldest layers are let go", { ...this.#room });
    }
  }

  /** Lets go what is too much for the disk, once a look, and for what may be kept. */
  async #trim(options: Cancellable): Promise<void> {
    const before = this.totals().bytes;
    const isTooMuch = this.#excessBytes > 0 || before > this.#room.maxBytes;
    // Another agent of this node may just have made room.
    if (isTooMuch) await this.#renew(options);
    const excess = this.#kept.oldest(this.#excessBytes - (before - this.totals().bytes));
    this.#excessBytes = 0;
    await this.#release(excess, options);
    await this.#release(this.#kept.beyond(this.#room.maxBytes), options);
  }

  async #release(releases: readonly Release[], options: Cancellable): Promise<void> {
    const { leases, log, metrics } = this.#with;
    for (const { digest, reason } of releases) {
      const layer = this.#kept.get(digest);
      await leases.release(digest, options);
      if (this.#kept.get(digest) === layer) this.#kept.forget(digest);
      // It was asked for in the meantime.
      else await leases.keep(digest, options);
      if (reason === "budget" || reason === "disk-pressure") this.#unkept.add(digest);
      metrics.layerReleased(reason);
      log.debug("a layer is no longer kept", { digest, reason });
    }
    if (releases.length > 0) {
      log.info("layers are no longer kept", { count: releases.length, ...this.totals() });
    }
  }

  #failed(error: unknown): void {
    if (!this.#failing) this.#with.log.warn("layers cannot be kept, trying again", { error });
    this.#failing = true;
  }

  #succeeded(): void {
    if (this.#failing) this.#with.log.info("layers are kept again");
    this.#failing = false;
  }

  /** Waits until there is something to review, or the time is over. */
  async #pause(ms: number, { signal }: Cancellable): Promise<void> {
    const { clock } = this.#with;
    if (!this.#changed) {
      using woken = link(signal);
      this.#wake = () => woken.abort();
      await clock.sleep(Math.max(0, ms), { signal: woken.signal }).catch(() => {});
      this.#wake = () => {};
    }
    if (this.#changed) await clock.sleep(COALESCE_MS, { signal }).catch(() => {});
  }
}
