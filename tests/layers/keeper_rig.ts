import type { DiskRoom } from "../../lib/layers/disk_limits.ts";
import { LayerKeeper } from "../../lib/layers/layer_keeper.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { StoreEvent, Watcher } from "../../lib/ports/watcher.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLeases } from "../fakes/leases.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryStore } from "../fakes/store.ts";

const ARRIVING = { size: 1, open: () => Promise.resolve(undefined) };

/** A keeper that runs, with everything around it in memory. */
export class KeeperRig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly log = new MemoryLog();
  readonly metrics = memoryMetrics();
  /** What the runtime is fetching. */
  readonly arriving = new Set<Digest>();
  /** What the disk has room for. */
  room: DiskRoom;
  readonly leases: MemoryLeases;
  readonly keeper: LayerKeeper;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(
    leases?: MemoryLeases,
    room: DiskRoom = { maxBytes: Infinity, lackingBytes: 0 },
  ) {
    this.room = room;
    const { clock, store, log } = this;
    this.leases = leases ?? new MemoryLeases(() => clock.now());
    const { metrics } = this;
    const limits = { look: () => Promise.resolve(this.room) };
    this.keeper = new LayerKeeper({
      leases: this.leases,
      store,
      clock,
      log,
      metrics,
      limits,
      arrivals: {
        find: (digest) => Promise.resolve(this.arriving.has(digest) ? ARRIVING : undefined),
      },
    });
    this.#running = this.keeper.run({ signal: this.#stop.signal });
  }

  /** What is kept, sorted. */
  get kept(): Digest[] {
    return [...this.leases.kept.keys()].sort();
  }

  /** Content that arrives as the runtime pulls it through this node's agent. */
  async pull(...contents: string[]): Promise<Digest[]> {
    return await Promise.all(contents.map(async (content) => {
      await this.keeper.expect(digestOf(content));
      return this.store.add(content);
    }));
  }

  /** Tells of changes, and lets the keeper act on them. */
  async tell(...events: StoreEvent[]): Promise<void> {
    const watcher: Watcher = {
      async *watch() {
        yield* events;
      },
    };
    await Array.fromAsync(this.keeper.follow(watcher).watch({ signal: this.#stop.signal }));
    await this.clock.advance(1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

/** An image of some content. */
export function image(name: string, ...present: Digest[]) {
  return { name, target: present[0] ?? digestOf(name), present };
}
