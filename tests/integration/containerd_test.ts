import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/async/clock.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { ContainerdClient } from "../../lib/store/containerd/client.ts";
import { ContainerdContent } from "../../lib/store/containerd/content.ts";
import { ContainerdStore } from "../../lib/store/containerd/containerd_store.ts";
import { ContainerdWatcher } from "../../lib/store/containerd/containerd_watcher.ts";
import { probeContainerd } from "../../lib/store/containerd/probe_containerd.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { MemoryLog } from "../fakes/log.ts";
import { storeCases, watcherCases, type WatcherFixture } from "../store/conformance.ts";
import { putImage, sampleImage } from "../store/sample_image.ts";
import { WatchRecorder } from "../store/watch_recorder.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import type { TestContext } from "../support/test.ts";
import { ContainerdRecords } from "./containerd_records.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";

const never = { signal: new AbortController().signal };

/** A running containerd, ended and removed at the end of the scope. */
async function startContainerd(binaries: ContainerdBinaries) {
  const directory = await tempDirectory();
  const containerd = new RealContainerd(directory.path, binaries);
  await containerd.start();
  return {
    containerd,
    directory: directory.path,
    async [Symbol.asyncDispose]() {
      await containerd.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** The adapters on one namespace of a containerd. */
function adapters(containerd: RealContainerd, namespace: string, files = true) {
  const client = new ContainerdClient(containerd.socketPath, { namespace });
  const content = new ContainerdContent(
    client,
    files ? { contentPath: containerd.contentPath } : {},
  );
  const log = new MemoryLog();
  const clock = systemClock;
  return {
    client,
    log,
    store: new ContainerdStore({ client, content, clock }),
    watcher: new ContainerdWatcher({ client, content, clock, log }),
    [Symbol.dispose]: () => client.close(),
  };
}

/** Lets a conformance case work on a namespace of its own. */
function fixture(containerd: RealContainerd, namespace: string, files: boolean): WatcherFixture {
  const { client, store, watcher, ...rest } = adapters(containerd, namespace, files);
  const records = new ContainerdRecords(client);
  return {
    store,
    watcher,
    async put(content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      const digest = digestOf(bytes);
      // What the namespace has already, containerd refuses to take again.
      if (await store.descriptor(digest, never) !== undefined) return digest;
      assert.equal(await records.putContent(bytes, `${namespace}-${digest}`), digest);
      return digest;
    },
    tag: (name, digest) => records.setImage(name, digest),
    untag: (name) => records.deleteImage(name),
    remove: (digest) => records.deleteContent(digest),
    [Symbol.asyncDispose]() {
      rest[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** Imports a small image under a name, as a user does with a tarball; its digests. */
async function importImage(containerd: RealContainerd, seed: string, name: string) {
  await using directory = await tempDirectory();
  const layout = join(directory.path, "layout");
  const writer = new OciLayoutWriter(layout);
  const image = sampleImage(seed, digestOf);
  const digests = await putImage(
    image,
    async (content) => (await writer.putBlob(new TextEncoder().encode(content))).digest,
  );
  await writer.putManifest(image.manifest, name);
  const archive = join(directory.path, "image.tar");
  const tar = new Deno.Command("tar", { args: ["-C", layout, "-cf", archive, "."] });
  assert.ok((await tar.output()).success);
  await containerd.ctr("k8s.io", ["images", "import", "--no-unpack", "--all-platforms", archive]);
  return digests;
}

async function conforms(t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using running = await startContainerd(binaries);
  let count = 0;
  for (const files of [true, false]) {
    for (const { name, run } of storeCases) {
      await t.step(`store, ${files ? "by files" : "by the content service"}: ${name}`, async () => {
        await using made = fixture(running.containerd, `case-${count++}`, files);
        await run(made);
      });
    }
  }
  for (const { name, run } of watcherCases) {
    await t.step(`watcher: ${name}`, async () => {
      await using made = fixture(running.containerd, `case-${count++}`, true);
      await run(made);
    });
  }
}

async function followsImport(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using running = await startContainerd(binaries);
  const { containerd } = running;
  using made = adapters(containerd, "k8s.io");
  await using recorder = new WatchRecorder(made.watcher);
  await recorder.next("sync");
  const name = "registry.test/team/imported:1";
  const digests = await importImage(containerd, "imported", name);
  const { image } = await recorder.next("image", (event) => event.image.present.length === 4);
  assert.equal(image.name, name);
  assert.deepEqual([...image.present].sort(), [...digests].sort());
  assert.equal(await made.store.resolve(name, never), digests[0]);
  const age = Date.now() - (await made.store.updatedAt(name, never) ?? 0);
  assert.ok(age >= 0 && age < 60_000, `the record is ${age} ms old`);
  assert.equal(await made.store.updatedAt("registry.test/no:1", never), undefined);
  const layer = await made.store.open(digests[3] as Digest, never);
  assert.equal(await new Response(layer).text(), "first layer of imported");
  await containerd.ctr("k8s.io", ["images", "tag", name, "registry.test/team/imported:2"]);
  await recorder.next("image", (event) => event.image.name === "registry.test/team/imported:2");
  await containerd.ctr("k8s.io", ["images", "rm", name]);
  assert.equal((await recorder.next("delete")).name, name);
}

async function survivesRestart(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using running = await startContainerd(binaries);
  const { containerd } = running;
  using made = adapters(containerd, "k8s.io");
  await using recorder = new WatchRecorder(made.watcher);
  await importImage(containerd, "before", "registry.test/team/app:1");
  await recorder.next("image", (event) => event.image.present.length === 4);
  await containerd.stop();
  await assert.rejects(made.store.resolve("registry.test/team/app:1", never), /UNAVAILABLE/);
  await containerd.start();
  const { images } = await recorder.next("sync");
  // The CRI plugin adds a record that is named by the image's id.
  const tagged = images.filter(({ name }) => !name.startsWith("sha256:"));
  assert.deepEqual(tagged.map(({ name, present }) => [name, present.length]), [
    ["registry.test/team/app:1", 4],
  ]);
  const told = recorder.events.length;
  await importImage(containerd, "after", "registry.test/team/app:2");
  await recorder.next(
    "image",
    (event) => event.image.name === "registry.test/team/app:2" && event.image.present.length === 4,
  );
  const again = recorder.events.slice(told).filter((event) =>
    event.type === "sync" || event.type === "image" && event.image.name.endsWith(":1")
  );
  assert.deepEqual(again, []);
  assert.equal(made.log.lines.filter(({ level }) => level === "warn").length, 1);
}

async function survivesHang(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using running = await startContainerd(binaries);
  const { containerd } = running;
  using made = adapters(containerd, "k8s.io");
  await using recorder = new WatchRecorder(made.watcher);
  await recorder.next("sync");
  await containerd.freeze();
  await assert.rejects(made.store.resolve("registry.test/team/app:1", never), /DEADLINE_EXCEEDED/);
  while (!made.log.lines.some(({ level }) => level === "warn")) await systemClock.sleep(100);
  containerd.thaw();
  await recorder.next("sync");
  await importImage(containerd, "after the hang", "registry.test/team/app:1");
  await recorder.next("image", (event) => event.image.present.length === 4);
}

async function isProbed(_t: TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using running = await startContainerd(binaries);
  const { containerd } = running;
  using made = adapters(containerd, "k8s.io");
  await importImage(containerd, "probed", "registry.test/team/app:1");
  const probe = await probeContainerd(made.client, never);
  assert.ok(probe.reachable);
  assert.match(probe.version, new RegExp(`^v?${binaries.major}\\.`));
  assert.deepEqual(probe.content, { state: "readable", path: containerd.contentPath });
  assert.deepEqual(probe.cri, {
    registryConfigPaths: [containerd.certsPath],
    discardUnpackedLayers: false,
  });
}

const suites = {
  "passes the conformance suite": conforms,
  "is followed through an import, a tag and a removal": followsImport,
  "is followed through a restart": survivesRestart,
  "is followed through a hang": survivesHang,
  "is probed": isProbed,
};

for (const [name, run] of Object.entries(suites)) {
  await testEachContainerd((major) => `real containerd ${major}.x ${name}`, run);
}
