import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { test } from "../support/test.ts";
import { containerdFixture } from "./fixtures.ts";
import { putImage, sampleImage } from "./sample_image.ts";
import { WatchRecorder } from "./watch_recorder.ts";

const NAME = "docker.io/library/app:1";
const LABEL = "containerd.io/distribution.source.docker.io";

async function addImage(fixture: { put(content: string): Promise<Digest> }, seed: string) {
  const digests = await putImage(sampleImage(seed, digestOf), (content) => fixture.put(content));
  return { target: digests[0] as Digest, digests };
}

test("content is told of with the repositories it was pulled from, once labelled", async () => {
  await using fixture = await containerdFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const early = await fixture.fake.addContent("labelled at once", {
    labels: { [LABEL]: "library/app,mirror/app", "containerd.io/other": "x" },
  });
  assert.deepEqual(await recorder.next("content"), {
    type: "content",
    digest: early,
    sources: [
      { registry: "docker.io", repository: "library/app", portless: true },
      { registry: "docker.io", repository: "mirror/app", portless: true },
    ],
  });
  const late = await fixture.fake.addContent("labelled later");
  await recorder.pass(100);
  fixture.fake.label(late, { [LABEL]: "library/app" });
  assert.deepEqual(await recorder.next("content"), {
    type: "content",
    digest: late,
    sources: [{ registry: "docker.io", repository: "library/app", portless: true }],
  });
});

test("content that never gets a label is told of without sources", async () => {
  await using fixture = await containerdFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const digest = await fixture.put("imported");
  assert.deepEqual(await recorder.next("content"), { type: "content", digest, sources: [] });
});

test("content events before the image: each is told of, then the image whole", async () => {
  await using fixture = await containerdFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const { target, digests } = await addImage(fixture, "pulled");
  const told = new Set<Digest>();
  while (told.size < digests.length) told.add((await recorder.next("content")).digest);
  assert.deepEqual([...told].sort(), [...digests].sort());
  fixture.fake.setImage(NAME, target);
  const { image } = await recorder.next("image");
  assert.deepEqual({ ...image, present: [...image.present].sort() }, {
    name: NAME,
    target,
    present: [...digests].sort(),
  });
});

test("without content events an image that fills up after its event is looked at again", async () => {
  await using fixture = await containerdFixture({ contentEvents: false });
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const image = sampleImage("late layers", digestOf);
  const target = await fixture.put(image.manifest);
  fixture.fake.setImage(NAME, target);
  assert.deepEqual((await recorder.next("image")).image.present, [target]);
  const from = fixture.clock.now();
  await putImage(image, (content) => fixture.put(content));
  await recorder.next("image", (event) => event.image.present.length === 4);
  assert.ok(fixture.clock.now() - from <= 3_500, `${fixture.clock.now() - from} ms`);
});

test("without content events a pull is followed by its files", async () => {
  await using fixture = await containerdFixture({ contentEvents: false });
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  await recorder.pass(2_000);
  const digest = await fixture.fake.addContent("layer", { labels: { [LABEL]: "library/app" } });
  const from = fixture.clock.now();
  assert.deepEqual(await recorder.next("content"), {
    type: "content",
    digest,
    sources: [{ registry: "docker.io", repository: "library/app", portless: true }],
  });
  assert.ok(fixture.clock.now() - from <= 2_500, `${fixture.clock.now() - from} ms`);
  const told = await recorder.pass(5_000);
  assert.deepEqual(told, [], "once is enough");
});

test("content that garbage collection takes from an image is noticed by its files", async () => {
  await using fixture = await containerdFixture();
  const { target, digests } = await addImage(fixture, "collected");
  fixture.fake.setImage(NAME, target);
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  await recorder.pass(3_000);
  await fixture.fake.removeContent(digests[2] as Digest, { silent: true });
  const from = fixture.clock.now();
  const { image } = await recorder.next("image");
  assert.equal(image.present.length, 3);
  assert.ok(fixture.clock.now() - from <= 2_500, `${fixture.clock.now() - from} ms`);
});

test("content that is deleted from an image is no longer told of as present", async () => {
  await using fixture = await containerdFixture();
  const { target, digests } = await addImage(fixture, "shrinking");
  fixture.fake.setImage(NAME, target);
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const gone = digests[3] as Digest;
  await fixture.fake.removeContent(gone);
  const { image } = await recorder.next("image");
  assert.deepEqual(
    image.present,
    digests.filter((digest) => digest !== gone).toSorted(
      (a, b) => image.present.indexOf(a) - image.present.indexOf(b),
    ),
  );
});

test("other namespaces are neither listed nor told of", async () => {
  await using fixture = await containerdFixture();
  const namespace = "moby";
  const there = await fixture.fake.addContent("{}", { namespace });
  fixture.fake.setImage("docker.io/library/before:1", there, { namespace });
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  assert.deepEqual((await recorder.next("sync")).images, []);
  fixture.fake.setImage("docker.io/library/after:1", there, { namespace });
  await fixture.fake.addContent("more", { namespace });
  assert.deepEqual(await recorder.pass(3_000), []);
});

test("an image whose event was lost while subscribing is found a second later", async () => {
  await using fixture = await containerdFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const { target } = await addImage(fixture, "unnoticed");
  fixture.fake.setImage(NAME, target, { silent: true });
  assert.equal((await recorder.next("image")).image.target, target);
  assert.ok(fixture.clock.now() <= 3_000);
});

test("changes without events and files are in the periodic sync", async () => {
  await using fixture = await containerdFixture({
    files: false,
    watcher: { resyncIntervalMs: 5_000 },
  });
  const { target, digests } = await addImage(fixture, "collected");
  fixture.fake.setImage(NAME, target);
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  assert.equal((await recorder.next("sync")).images[0]?.present.length, 4);
  await fixture.fake.removeContent(digests[2] as Digest, { silent: true });
  assert.equal((await recorder.next("sync")).images[0]?.present.length, 3);
});

test("a restart brings one new sync with what changed meanwhile, and one line in the log", async () => {
  await using fixture = await containerdFixture();
  const before = await addImage(fixture, "before");
  fixture.fake.setImage(NAME, before.target);
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  await fixture.fake.stop();
  await recorder.pass(5_000);
  const during = await addImage(fixture, "during");
  fixture.fake.setImage("docker.io/library/app:2", during.target);
  fixture.fake.deleteImage(NAME);
  await fixture.fake.start();
  const { images } = await recorder.next("sync");
  assert.deepEqual(images.map(({ name }) => name), ["docker.io/library/app:2"]);
  const after = await addImage(fixture, "after");
  fixture.fake.setImage("docker.io/library/app:3", after.target);
  assert.equal((await recorder.next("image")).image.target, after.target);
  const later = await recorder.pass(3_000);
  assert.deepEqual(later.filter(({ type }) => type !== "content"), []);
  assert.equal(recorder.events.filter(({ type }) => type === "sync").length, 2);
  assert.equal(recorder.events.filter(({ type }) => type === "image").length, 1);
  assert.deepEqual(fixture.log.lines.map(({ level, message }) => [level, message]), [
    ["warn", "containerd is lost, reconnecting"],
    ["info", "containerd is back"],
  ]);
});

test("a containerd that is away at first is waited for", async () => {
  await using fixture = await containerdFixture();
  await fixture.fake.stop();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  assert.deepEqual(await recorder.pass(3_000), []);
  await fixture.fake.start();
  assert.deepEqual((await recorder.next("sync")).images, []);
});

test("a containerd that hangs is noticed, and followed again when it goes on", async () => {
  await using fixture = await containerdFixture({ callTimeoutMs: 100 });
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  fixture.fake.hung = true;
  const isLost = () => fixture.log.lines.some(({ level }) => level === "warn");
  for (let turn = 0; turn < 400 && !isLost(); turn++) await recorder.pass(500);
  assert.ok(isLost());
  fixture.fake.hung = false;
  const { target } = await addImage(fixture, "after the hang");
  fixture.fake.setImage(NAME, target);
  const { images } = await recorder.next("sync");
  assert.deepEqual(images.map((image) => image.target), [target]);
});

test("the events are subscribed to before anything is listed", async () => {
  await using fixture = await containerdFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const { calls } = fixture.fake;
  assert.ok(calls.indexOf(methods.stream.subscribe.path) < calls.indexOf(methods.listImages.path));
  assert.ok(calls.includes(methods.stream.subscribe.path));
});

test("a damaged manifest does not keep the other images from being known", async () => {
  await using fixture = await containerdFixture();
  const good = await addImage(fixture, "good");
  const bad = await addImage(fixture, "bad");
  fixture.fake.setImage(NAME, good.target);
  fixture.fake.setImage("docker.io/library/bad:1", bad.target);
  await Deno.remove(fixture.fake.file(bad.target));
  await Deno.mkdir(fixture.fake.file(bad.target));
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  const { images } = await recorder.next("sync");
  assert.equal(images.find(({ name }) => name === NAME)?.present.length, 4);
});
