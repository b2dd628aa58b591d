import { backoff } from "../../async/backoff.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { StoreEvent, Watcher } from "../../ports/watcher.ts";
import type { ContainerdClient } from "./client.ts";
import type { ContainerdContent } from "./content.ts";
import { ImageWalker } from "./image_walker.ts";
import { WatchSession } from "./watch_session.ts";

export interface ContainerdWatcherComponents extends Pick<Runtime, "clock" | "log"> {
  readonly client: ContainerdClient;
  readonly content: ContainerdContent;
}

export interface ContainerdWatcherOptions {
  /** Interval of full syncs, which catch changes without an event, ms; default 600,000. */
  readonly resyncIntervalMs?: number;
  /**
   * Interval of checks for blobs added or removed without an event, ms; default 2,000. A check
   * reads the stamps of two directories, and lists only if they changed.
   */
  readonly pollIntervalMs?: number;
  /** Interval of pings to containerd, ms; default 2,000. */
  readonly pingIntervalMs?: number;
  /** Deadline for listing images, ms; default 30,000. */
  readonly listTimeoutMs?: number;
  /** First delay before reconnecting, ms; default 50. */
  readonly reconnectBaseMs?: number;
  /**
   * Longest delay before reconnecting, ms; default 1,000. With the connection's own delay of at
   * most 0.5 s, images are known again within 3 s after containerd is back.
   */
  readonly reconnectMaxMs?: number;
}

/** A subscription of this length resets the backoff, ms. */
const STABLE_MS = 10_000;

/** Follows the images and content of a containerd, across its restarts. */
export class ContainerdWatcher implements Watcher {
  readonly #components: ContainerdWatcherComponents;
  readonly #options: Required<ContainerdWatcherOptions>;

  constructor(components: ContainerdWatcherComponents, options: ContainerdWatcherOptions = {}) {
    this.#components = components;
    this.#options = {
      resyncIntervalMs: options.resyncIntervalMs ?? 600_000,
      pollIntervalMs: options.pollIntervalMs ?? 2_000,
      pingIntervalMs: options.pingIntervalMs ?? 2_000,
      listTimeoutMs: options.listTimeoutMs ?? 30_000,
      reconnectBaseMs: options.reconnectBaseMs ?? 50,
      reconnectMaxMs: options.reconnectMaxMs ?? 1_000,
    };
  }

  async *watch({ signal }: Cancellable): AsyncGenerator<StoreEvent, void, undefined> {
    const { clock, log } = this.#components;
    const { reconnectBaseMs: baseMs, reconnectMaxMs: maxMs } = this.#options;
    const walker = new ImageWalker(this.#components, this.#options);
    let waits = backoff({ baseMs, maxMs });
    let away = false;
    while (!signal.aborted) {
      const startedAtMs = clock.now();
      try {
        const session = new WatchSession({ ...this.#components, walker }, this.#options);
        for await (const event of session.run({ signal })) {
          if (away) log.info("containerd is back");
          away = false;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!away) log.warn("containerd is lost, reconnecting", { error: String(error) });
        away = true;
      }
      if (clock.now() - startedAtMs >= STABLE_MS) waits = backoff({ baseMs, maxMs });
      await clock.sleep(waits.next().value, { signal }).catch(() => {});
    }
  }
}
