import { systemClock } from "../../lib/async/clock.ts";
import { ContainerdClient, ContainerdError } from "../../lib/store/containerd/client.ts";
import { ContainerdContent } from "../../lib/store/containerd/content.ts";
import { ContainerdStore } from "../../lib/store/containerd/containerd_store.ts";
import { ContainerdWatcher } from "../../lib/store/containerd/containerd_watcher.ts";
import type { ContainerdWatcherOptions } from "../../lib/store/containerd/containerd_watcher.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { OciLayoutStore } from "../../lib/store/oci_layout/oci_layout_store.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeContainerd } from "../fakes/containerd.ts";
import { MemoryLog } from "../fakes/log.ts";
import { MemoryStore } from "../fakes/store.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import type { StoreFixture, WatcherFixture } from "./conformance.ts";

/** The fake that other parts' tests rely on. */
export function memoryFixture(): Promise<StoreFixture> {
  const store = new MemoryStore();
  return Promise.resolve({
    store,
    put: (content) => Promise.resolve(store.add(content)),
    tag: (name, target) => Promise.resolve(store.tag(name, target)),
    remove: (digest) => Promise.resolve(store.remove(digest)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

/** An image layout with its own writer. */
export async function ociLayoutFixture(): Promise<
  WatcherFixture & { readonly root: string; readonly log: MemoryLog; readonly clock: FakeClock }
> {
  const directory = await tempDirectory();
  const clock = new FakeClock();
  const log = new MemoryLog();
  const store = new OciLayoutStore(directory.path, { clock, log });
  const writer = new OciLayoutWriter(directory.path, { onChange: () => store.notifyChanged() });
  return {
    root: directory.path,
    clock,
    log,
    store,
    watcher: store,
    put: async (content) =>
      (await writer.putBlob(
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      )).digest,
    tag: (name, digest) => writer.tag(name, { digest, mediaType: "", size: 0 }),
    untag: (name) => writer.untag(name),
    remove: (digest) => writer.removeBlob(digest),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** Settings of {@link containerdFixture}. */
export interface ContainerdFixtureOptions {
  /** Whether the store can read containerd's files; default true. */
  readonly files?: boolean;
  /** Whether containerd tells of content; default true. */
  readonly contentEvents?: boolean;
  readonly watcher?: ContainerdWatcherOptions;
  readonly callTimeoutMs?: number;
}

/**
 * A gRPC channel that is closed while it connects, or waits to, leaves a timer of up to 0.5 s
 * behind, which the leak sanitizer would report: so it is brought up before it is closed.
 */
async function settleConnection(fake: FakeContainerd, client: ContainerdClient): Promise<void> {
  fake.hung = false;
  if (!fake.running) await fake.start();
  const { signal } = new AbortController();
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await client.call(methods.version, {}, { signal });
      return;
    } catch (error) {
      if (!(error instanceof ContainerdError && error.unanswered)) throw error;
      await systemClock.sleep(20);
    }
  }
  throw new Error("the fake containerd cannot be reached any more");
}

/** What {@link containerdFixture} gives besides the store. */
export interface ContainerdFixture extends WatcherFixture {
  readonly fake: FakeContainerd;
  readonly client: ContainerdClient;
  readonly log: MemoryLog;
  readonly clock: FakeClock;
}

/** The containerd adapters in front of a fake containerd on a real socket. */
export async function containerdFixture(
  options: ContainerdFixtureOptions = {},
): Promise<ContainerdFixture> {
  const directory = await tempDirectory();
  const clock = new FakeClock();
  const log = new MemoryLog();
  const fake = new FakeContainerd(directory.path);
  fake.files = options.files ?? true;
  fake.contentEvents = options.contentEvents ?? true;
  await fake.start();
  const client = new ContainerdClient(fake.socketPath, {
    namespace: "k8s.io",
    callTimeoutMs: options.callTimeoutMs ?? 5_000,
  });
  const content = new ContainerdContent(
    client,
    fake.files ? { contentPath: fake.contentPath } : {},
  );
  return {
    fake,
    client,
    clock,
    log,
    store: new ContainerdStore({ client, content, clock }),
    watcher: new ContainerdWatcher({ client, content, clock, log }, options.watcher),
    put: (bytes) => fake.addContent(bytes),
    tag: (name, target) => Promise.resolve(fake.setImage(name, target)),
    untag: (name) => Promise.resolve(fake.deleteImage(name)),
    remove: (digest) => fake.removeContent(digest),
    async [Symbol.asyncDispose]() {
      await settleConnection(fake, client);
      client.close();
      await fake.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}
