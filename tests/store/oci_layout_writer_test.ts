import assert from "node:assert/strict";
import { join } from "node:path";
import type { Descriptor } from "../../lib/oci/descriptor.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { OCI_MANIFEST, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import { OciLayoutStore } from "../../lib/store/oci_layout/oci_layout_store.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";
import { ociLayoutFixture } from "./fixtures.ts";
import { putImage, sampleImage } from "./sample_image.ts";
import { WatchRecorder } from "./watch_recorder.ts";

const never = { signal: new AbortController().signal };
const NAME = "registry.test/team/app:1";

async function files(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) names.push(name);
  return names.sort();
}

test("writer: a blob gets its digest, size and media type, from bytes or a stream", async () => {
  await using directory = await tempDirectory();
  const writer = new OciLayoutWriter(directory.path);
  const { manifest } = sampleImage("typed", digestOf);
  assert.deepEqual(await writer.putManifest(manifest), {
    digest: digestOf(manifest),
    size: manifest.length,
    mediaType: OCI_MANIFEST,
  });
  const bytes = new TextEncoder().encode("in pieces");
  const stream = ReadableStream.from([bytes.subarray(0, 2), bytes.subarray(2)]);
  assert.deepEqual(await writer.putBlob(stream, digestOf(bytes)), {
    digest: digestOf(bytes),
    size: bytes.length,
    mediaType: OCTET_STREAM,
  });
});

test("writer: a blob with a wrong digest or a broken source leaves nothing behind", async () => {
  await using directory = await tempDirectory();
  const writer = new OciLayoutWriter(directory.path);
  const bytes = new TextEncoder().encode("forged");
  await assert.rejects(writer.putBlob(bytes, digestOf("genuine")), /has digest sha256:/);
  const broken = ReadableStream.from(async function* () {
    yield bytes;
    await Promise.reject(new Error("line is dead"));
  }());
  await assert.rejects(writer.putBlob(broken), /line is dead/);
  assert.deepEqual(await files(join(directory.path, "tmp")), []);
  assert.deepEqual((await files(directory.path)).filter((name) => name !== "tmp"), []);
});

test("writer: simultaneous tags are all kept, in a layout other tools accept", async () => {
  await using fixture = await ociLayoutFixture();
  const digests = await putImage(sampleImage("popular", digestOf), (text) => fixture.put(text));
  const names = Array.from({ length: 20 }, (_, index) => `registry.test/team/app:${index}`);
  const [target] = digests;
  assert.ok(target);
  await Promise.all(names.map((name) => fixture.tag(name, target)));
  for (const name of names) assert.equal(await fixture.store.resolve(name, never), target);
  const layout = JSON.parse(await Deno.readTextFile(join(fixture.root, "oci-layout")));
  assert.deepEqual(layout, { imageLayoutVersion: "1.0.0" });
});

test("writer: a name without a registry is refused", async () => {
  await using directory = await tempDirectory();
  const writer = new OciLayoutWriter(directory.path);
  const target: Descriptor = { digest: digestOf("x"), mediaType: OCI_MANIFEST, size: 1 };
  await assert.rejects(writer.tag("nginx:latest", target), /"nginx:latest" is not registry/);
});

test("writer: an entry it did not write keeps what it does not know", async () => {
  await using fixture = await ociLayoutFixture();
  const digest = await fixture.put("{}");
  const path = join(fixture.root, "index.json");
  const foreign = {
    mediaType: OCI_MANIFEST,
    digest,
    size: 2,
    platform: { os: "linux", architecture: "arm64" },
    annotations: { "org.opencontainers.image.ref.name": "1.2" },
  };
  await Deno.writeTextFile(
    path,
    JSON.stringify({ schemaVersion: 2, manifests: [foreign], annotations: { kept: "yes" } }),
  );
  await fixture.tag(NAME, digest);
  await fixture.untag(NAME);
  const index = JSON.parse(await Deno.readTextFile(path));
  assert.deepEqual(index, { schemaVersion: 2, manifests: [foreign], annotations: { kept: "yes" } });
});

test("layout: names come from either annotation, if they are full; others have no name", async () => {
  await using fixture = await ociLayoutFixture();
  const digest = await fixture.put("{}");
  const annotated = [
    {
      "io.containerd.image.name": "docker.io/library/a:1",
      "org.opencontainers.image.ref.name": "1",
    },
    { "org.opencontainers.image.ref.name": "docker.io/library/b:1" },
    { "org.opencontainers.image.ref.name": "latest" },
    undefined,
  ];
  const manifests = annotated.map((annotations) => ({ digest, size: 2, annotations }));
  await Deno.writeTextFile(
    join(fixture.root, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests }),
  );
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  const { images } = await recorder.next("sync");
  assert.deepEqual(images.map(({ name }) => name), [
    "docker.io/library/a:1",
    "docker.io/library/b:1",
    `latest@${digest}`,
    `unnamed@${digest}`,
  ]);
  assert.equal(await fixture.store.resolve("docker.io/library/b:1", never), digest);
  assert.equal(await fixture.store.resolve("latest", never), undefined);
});

test("layout: changes that others make are noticed by polling", async () => {
  await using directory = await tempDirectory();
  const clock = new FakeClock();
  const store = new OciLayoutStore(directory.path, { clock, log: new MemoryLog() });
  const stranger = new OciLayoutWriter(directory.path);
  await using recorder = new WatchRecorder(store, clock);
  assert.deepEqual((await recorder.next("sync")).images, []);
  const image = sampleImage("brought", digestOf);
  await putImage(image, async (text) => (await stranger.putManifest(text)).digest);
  await stranger.putManifest(image.manifest, NAME);
  const from = clock.now();
  assert.equal((await recorder.next("image")).image.present.length, 4);
  assert.ok(clock.now() - from <= 2_500);
  await stranger.removeBlob(digestOf(image.config));
  assert.equal((await recorder.next("image")).image.present.length, 3);
});

test("layout: a directory that vanishes takes its images along", async () => {
  await using fixture = await ociLayoutFixture();
  const target = await fixture.put("{}");
  await fixture.tag(NAME, target);
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  await Deno.remove(join(fixture.root, "index.json"));
  assert.equal((await recorder.next("delete")).name, NAME);
  assert.equal(await fixture.store.resolve(NAME, never), undefined);
});

test("layout: a half-written index changes nothing and is logged once", async () => {
  await using fixture = await ociLayoutFixture();
  const path = join(fixture.root, "index.json");
  await fixture.tag(NAME, await fixture.put("{}"));
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  const whole = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, whole.slice(0, 20));
  assert.deepEqual(await recorder.pass(10_000), []);
  await assert.rejects(fixture.store.resolve(NAME, never), /cannot read .*index\.json/);
  await Deno.writeTextFile(path, JSON.stringify({ schemaVersion: 2, manifests: [] }));
  assert.equal((await recorder.next("delete")).name, NAME);
  assert.deepEqual(fixture.log.lines.map(({ message }) => message), [
    "image layout cannot be read",
  ]);
});

test("layout: a full sync is repeated", async () => {
  await using fixture = await ociLayoutFixture();
  await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
  await recorder.next("sync");
  await fixture.clock.advance(600_000);
  assert.deepEqual(await recorder.next("sync"), { type: "sync", images: [] });
});
