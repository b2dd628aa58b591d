import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { StoredImage } from "../../ports/store.ts";
import type { StoreEvent } from "../../ports/watcher.ts";
import { mapConcurrent } from "../../async/map_concurrent.ts";
import type { ContainerdClient } from "./client.ts";
import { contentSources } from "./content_sources.ts";
import type { ContainerdContent } from "./content.ts";
import type { ImageWalker, WalkedImage } from "./image_walker.ts";
import { Inbox } from "./inbox.ts";
import { methods } from "./methods.ts";
import { type ContainerdEvent, receiveEvents } from "./receive_events.ts";

export interface WatchSessionComponents extends Pick<Runtime, "clock" | "log"> {
  readonly client: ContainerdClient;
  readonly content: ContainerdContent;
  readonly walker: ImageWalker;
}

export interface WatchSessionOptions {
  /** Interval of full syncs, ms. */
  readonly resyncIntervalMs: number;
  /** Interval of checks for blobs added or removed without an event, ms. */
  readonly pollIntervalMs: number;
  /** Interval of pings to containerd, ms. */
  readonly pingIntervalMs: number;
}

/** Content events of one pull come in bursts; one walk after this delay covers them, ms. */
const COALESCE_MS = 100;
/**
 * Older containerds send no content events, and the files may be unreadable, so an incomplete image
 * is checked again after these delays, ms.
 */
const SETTLE_MS = [1_000, 3_000] as const;
/** containerd labels content shortly after its event; delays between checks for the label, ms. */
const LABEL_WAITS_MS = [20, 50, 150, 400, 1_000] as const;
/** Delay before a failed check is retried, ms. */
const RETRY_MS = 1_000;
const MAX_RETRIES = 5;
/** Consecutive unanswered pings after which containerd is considered hung. */
const MAX_LOST_PINGS = 2;
/** Images or blobs checked at once. */
const CONCURRENCY = 4;

/** One subscription to a containerd, from its `sync` until the connection is lost. */
export class WatchSession {
  readonly #components: WatchSessionComponents;
  readonly #options: WatchSessionOptions;
  readonly #inbox: Inbox;
  readonly #images = new Map<string, WalkedImage>();
  /** All known content of the namespace, part of an image or not. */
  #held = new Set<Digest>();

  constructor(components: WatchSessionComponents, options: WatchSessionOptions) {
    this.#components = components;
    this.#options = options;
    this.#inbox = new Inbox(components.clock);
  }

  /**
   * Yields a `sync`, then changes. Subscribes to events first; an event only schedules a check, and
   * what is yielded is always containerd's present state. So nothing is lost between listing and
   * listening, and the order of events does not matter.
   *
   * @throws when containerd is lost, or the signal aborts.
   */
  async *run({ signal: parent }: Cancellable): AsyncGenerator<StoreEvent, never, undefined> {
    const ended = new AbortController();
    const { signal } = ended;
    const follow = () => ended.abort(parent.reason);
    if (parent.aborted) follow();
    else parent.addEventListener("abort", follow, { once: true });
    const { client } = this.#components;
    const background: Promise<void>[] = [];
    // A lost subscription also cancels the call in flight.
    const start = (task: Promise<void>) =>
      void background.push(task.catch((error) => ended.abort(error)));
    try {
      start(receiveEvents(client, (event) => this.#onEvent(event), { signal }));
      // Fails within a call's deadline if containerd is down or hangs; lists have a longer one.
      await client.call(methods.version, {}, { signal });
      start(this.#ping({ signal }));
      yield await this.#sync({ signal });
      start(this.#pollFiles({ signal }));
      while (true) {
        const due = await this.#inbox.take({ signal });
        if (due === "sync") {
          yield await this.#sync({ signal });
          continue;
        }
        if (due === "compare") {
          await this.#compare({ signal });
          continue;
        }
        yield* (await mapConcurrent(
          due.images,
          CONCURRENCY,
          ([name, attempt]) => this.#look(name, attempt, { signal }),
        )).flat();
        yield* (await mapConcurrent(
          due.contents,
          CONCURRENCY,
          ([digest, attempt]) => this.#lookAtContent(digest, attempt, { signal }),
        )).flat();
      }
    } finally {
      parent.removeEventListener("abort", follow);
      ended.abort(new DOMException("the subscription has ended", "AbortError"));
      await Promise.all(background);
    }
  }

  #onEvent(event: ContainerdEvent): void {
    if (event.type === "image") this.#inbox.image(event.name, 0);
    else this.#inbox.content(event.digest, LABEL_WAITS_MS[0]);
  }

  async #ping({ signal }: Cancellable): Promise<void> {
    const { client, clock } = this.#components;
    for (let lost = 0;;) {
      await clock.sleep(this.#options.pingIntervalMs, { signal });
      try {
        await client.call(methods.version, {}, { signal });
        lost = 0;
      } catch (error) {
        if (signal.aborted || ++lost >= MAX_LOST_PINGS) throw error;
      }
    }
  }

  /**
   * Requests a comparison when blobs were added or removed: older containerds send no content
   * events, and none reports garbage collection. Also once after the first `sync`, since a change
   * in the moment before a subscription takes effect raises no event.
   */
  async #pollFiles({ signal }: Cancellable): Promise<void> {
    const { clock, content } = this.#components;
    for (let stamp: string | undefined, first = true;; first = false) {
      await clock.sleep(first ? SETTLE_MS[0] : this.#options.pollIntervalMs, { signal });
      const before = stamp;
      stamp = await content.stamp();
      if (first || stamp !== before) this.#inbox.compare();
    }
  }

  async #sync(options: Cancellable): Promise<StoreEvent> {
    this.#inbox.sync(this.#options.resyncIntervalMs);
    const { images, held } = await this.#components.walker.all(options);
    this.#held = held;
    this.#images.clear();
    for (const image of images) this.#images.set(image.name, image);
    return { type: "sync", images: images.map(withoutMissing) };
  }

  /** Schedules a check of everything that differs from the known state. */
  async #compare(options: Cancellable): Promise<void> {
    const { walker, content } = this.#components;
    const names = await walker.names(options);
    const held = await content.list(options);
    for (const [name, target] of names) {
      const image = this.#images.get(name);
      const outdated = image?.target !== target ||
        image.present.some((digest) => !held.has(digest)) || !image.missing.isDisjointFrom(held);
      if (outdated) this.#inbox.image(name, 0);
    }
    for (const name of this.#images.keys()) if (!names.has(name)) this.#inbox.image(name, 0);
    for (const digest of held) {
      if (!this.#held.has(digest)) this.#inbox.content(digest, LABEL_WAITS_MS[0]);
    }
    this.#held = held;
  }

  /** Checks one image and returns the changes. */
  async #look(name: string, attempt: number, options: Cancellable): Promise<StoreEvent[]> {
    const before = this.#images.get(name);
    let image: WalkedImage | undefined;
    try {
      image = await this.#components.walker.one(name, options);
    } catch (error) {
      this.#retry(`image ${name}`, attempt, error, options, () => {
        this.#inbox.image(name, RETRY_MS, attempt + 1);
      });
      return [];
    }
    if (image === undefined) {
      return this.#images.delete(name) ? [{ type: "delete", name }] : [];
    }
    this.#images.set(name, image);
    const wait = SETTLE_MS[attempt];
    if (image.missing.size > 0 && wait !== undefined) this.#inbox.image(name, wait, attempt + 1);
    return sameContent(before, image) ? [] : [{ type: "image", image: withoutMissing(image) }];
  }

  /** Checks content that was added or removed, and schedules a check of the affected images. */
  async #lookAtContent(
    digest: Digest,
    attempt: number,
    options: Cancellable,
  ): Promise<StoreEvent[]> {
    try {
      const info = await this.#components.content.info(digest, options);
      for (const { name, present, missing } of this.#images.values()) {
        const outdated = info === undefined ? present.includes(digest) : missing.has(digest);
        if (outdated) this.#inbox.image(name, COALESCE_MS);
      }
      if (info === undefined) {
        this.#held.delete(digest);
        return [];
      }
      this.#held.add(digest);
      const sources = contentSources(info.labels);
      const wait = LABEL_WAITS_MS[attempt + 1];
      if (sources.length > 0 || wait === undefined) return [{ type: "content", digest, sources }];
      this.#inbox.content(digest, wait, attempt + 1);
    } catch (error) {
      this.#retry(`content ${digest}`, attempt, error, options, () => {
        this.#inbox.content(digest, RETRY_MS, attempt + 1);
      });
    }
    return [];
  }

  /** The ping and the subscription decide whether containerd is lost, not a single call. */
  #retry(
    what: string,
    attempt: number,
    error: unknown,
    { signal }: Cancellable,
    again: () => void,
  ): void {
    signal.throwIfAborted();
    const { log } = this.#components;
    if (attempt < MAX_RETRIES) {
      log.debug(`checking ${what} failed, retrying`, { error: String(error) });
      return again();
    }
    log.warn(`checking ${what} failed, waiting for the next full sync`, { error: String(error) });
  }
}

function withoutMissing({ name, target, present, referrers }: WalkedImage): StoredImage {
  return { name, target, present, ...(referrers.length === 0 ? {} : { referrers }) };
}

function sameContent(before: WalkedImage | undefined, after: WalkedImage): boolean {
  return before !== undefined && before.target === after.target &&
    before.present.length === after.present.length &&
    before.present.every((digest, index) => digest === after.present[index]);
}
