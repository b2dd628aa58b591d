import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import type { Store, StoredImage } from "../../lib/ports/store.ts";
import type { Watcher } from "../../lib/ports/watcher.ts";
import type { FakeClock } from "../fakes/clock.ts";
import { putImage, sampleImage, sampleIndex } from "./sample_image.ts";
import { WatchRecorder } from "./watch_recorder.ts";

/** A store to be tested, and the means to fill it. */
export interface StoreFixture extends AsyncDisposable {
  readonly store: Store;
  put(content: Uint8Array<ArrayBuffer> | string): Promise<Digest>;
  /** Lets a name point to content that is there. */
  tag(name: string, target: Digest): Promise<void>;
  remove(digest: Digest): Promise<void>;
}

/** A store that can be watched. */
export interface WatcherFixture extends StoreFixture {
  readonly watcher: Watcher;
  /** Given if the watcher runs on it. */
  readonly clock?: FakeClock;
  untag(name: string): Promise<void>;
}

/** One thing that every adapter must do. */
export interface Case<Fixture> {
  readonly name: string;
  run(fixture: Fixture): Promise<void>;
}

const never = { signal: new AbortController().signal };
const BIG = new Uint8Array(3 * 256 * 1024 + 17).map((_, index) => index * 31 % 251);
const NAME = "registry.test/team/app:1";

async function read(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  assert.ok(stream !== undefined, "content is not held");
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

/** What every {@link Store} does. */
export const storeCases: readonly Case<StoreFixture>[] = [
  {
    name: "knows nothing of what it does not hold",
    async run({ store }) {
      const digest = digestOf("never added");
      assert.equal(await store.resolve("registry.test/none:1", never), undefined);
      assert.equal(await store.descriptor(digest, never), undefined);
      assert.equal(await store.open(digest, never), undefined);
      assert.equal(await store.descriptor(`sha512:${"a".repeat(128)}`, never), undefined);
    },
  },
  {
    name: "stamps what it holds, and anew when that is written anew",
    async run({ store, put, remove }) {
      assert.ok(store.stamp !== undefined);
      assert.equal(await store.stamp(digestOf("never added"), never), undefined);
      const digest = await put("replaced later");
      const stamp = await store.stamp(digest, never);
      assert.ok(stamp !== undefined);
      assert.equal(await store.stamp(digest, never), stamp);
      await remove(digest);
      assert.equal(await store.stamp(digest, never), undefined);
      // Stamps have the resolution of the file system's times.
      await new Promise((resolve) => setTimeout(resolve, 20));
      await put("replaced later");
      assert.notEqual(await store.stamp(digest, never), stamp);
    },
  },
  {
    name: "opens what was held a moment ago, unless it has gone since",
    async run({ store, put, remove }) {
      const digest = await put(BIG);
      const held = await store.descriptor(digest, never);
      assert.ok(held);
      assert.deepEqual(await read(await store.open(digest, { ...never, held })), BIG);
      const range = { start: 5, end: 300_000 };
      const part = await read(await store.open(digest, { ...never, held, range }));
      assert.deepEqual(part, BIG.subarray(5, 300_001));
      await remove(digest);
      assert.equal(await store.open(digest, { ...never, held }), undefined);
    },
  },
  {
    name: "resolves a name to what it points to now",
    async run({ store, put, tag }) {
      const first = await putImage(sampleImage("one", digestOf), put);
      const second = await putImage(sampleImage("two", digestOf), put);
      await tag(NAME, first[0] as Digest);
      assert.equal(await store.resolve(NAME, never), first[0]);
      await tag(NAME, second[0] as Digest);
      assert.equal(await store.resolve(NAME, never), second[0]);
      assert.equal(await store.resolve("registry.test/team/app:2", never), undefined);
    },
  },
  {
    name: "describes content by its own shape",
    async run({ store, put, tag }) {
      const image = sampleImage("shape", digestOf);
      const [manifest, config, layer] = await putImage(image, put) as [Digest, Digest, Digest];
      const index = await put(sampleIndex([image.manifest], digestOf));
      await tag(NAME, index);
      for (
        const [digest, mediaType, content] of [
          [index, OCI_INDEX, sampleIndex([image.manifest], digestOf)],
          [manifest, OCI_MANIFEST, image.manifest],
          [config, OCI_CONFIG, image.config],
          [layer, OCTET_STREAM, image.layers[1] ?? ""],
        ] as const
      ) {
        assert.deepEqual(await store.descriptor(digest, never), {
          digest,
          mediaType,
          size: new TextEncoder().encode(content).length,
        });
      }
    },
  },
  {
    name: "streams content byte for byte, whole and in parts",
    async run({ store, put }) {
      const digest = await put(BIG);
      assert.deepEqual(await read(await store.open(digest, never)), BIG);
      const last = BIG.length - 1;
      for (
        const [start, end] of [[0, 0], [0, last], [last, last], [262_143, 262_144], [
          5,
          700_000,
        ]] as const
      ) {
        const part = await read(await store.open(digest, { ...never, range: { start, end } }));
        assert.deepEqual(part, BIG.slice(start, end + 1), `range ${start}-${end}`);
      }
    },
  },
  {
    name: "serves empty content",
    async run({ store, put }) {
      const digest = await put("");
      assert.equal((await store.descriptor(digest, never))?.size, 0);
      assert.equal((await read(await store.open(digest, never))).length, 0);
    },
  },
  {
    name: "lets go of a stream that is cancelled in the middle",
    async run({ store, put }) {
      const digest = await put(BIG);
      const reader = (await store.open(digest, never))?.getReader();
      assert.ok((await reader?.read())?.value?.length);
      await reader?.cancel("enough");
      await (await store.open(digest, never))?.cancel();
      assert.deepEqual(await read(await store.open(digest, never)), BIG);
    },
  },
  {
    name: "holds content no longer once it is removed",
    async run({ store, put, remove }) {
      const digest = await put("short-lived");
      assert.equal((await store.descriptor(digest, never))?.size, 11);
      await remove(digest);
      assert.equal(await store.descriptor(digest, never), undefined);
      assert.equal(await store.open(digest, never), undefined);
    },
  },
  {
    name: "rejects with the reason when it is aborted",
    async run({ store, put }) {
      const digest = await put("unwanted");
      const reason = new Error("not wanted");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(store.resolve(NAME, { signal }), reason);
      await assert.rejects(store.descriptor(digest, { signal }), reason);
      await assert.rejects(async () => await store.open(digest, { signal }), reason);
    },
  },
];

/** What every {@link Watcher} does. */
export const watcherCases: readonly Case<WatcherFixture>[] = [
  {
    name: "yields first what is there, and of it only what is present",
    async run(fixture) {
      const here = sampleImage("here", digestOf);
      const elsewhere = sampleImage("elsewhere", digestOf);
      const present = await putImage(here, fixture.put);
      const index = await fixture.put(sampleIndex([here.manifest, elsewhere.manifest], digestOf));
      await fixture.tag(NAME, index);
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      const { images } = await recorder.next("sync");
      assert.deepEqual(images.map(sorted), [
        sorted({ name: NAME, target: index, present: [index, ...present] }),
      ]);
      assert.equal(recorder.events[0]?.type, "sync");
    },
  },
  {
    name: "tells which manifests are about another",
    async run(fixture) {
      const image = sampleImage("signed", digestOf);
      const [subject] = await putImage(image, fixture.put) as [Digest];
      const signature = sampleImage("signature", digestOf);
      const manifest = JSON.stringify({
        ...JSON.parse(signature.manifest),
        subject: { mediaType: OCI_MANIFEST, digest: subject, size: image.manifest.length },
      });
      const [digest] = await putImage({ ...signature, manifest }, fixture.put) as [Digest];
      const index = await fixture.put(sampleIndex([image.manifest, manifest], digestOf));
      await fixture.tag(NAME, digest);
      await fixture.tag("registry.test/team/app:index", index);
      await fixture.tag("registry.test/team/app:image", subject);
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      const { images } = await recorder.next("sync");
      const found = new Map(images.map(({ name, referrers }) => [name, referrers]));
      assert.deepEqual(found.get(NAME), [{ digest, subject }]);
      assert.deepEqual(found.get("registry.test/team/app:index"), [{ digest, subject }]);
      assert.equal(found.get("registry.test/team/app:image"), undefined);
    },
  },
  {
    name: "yields an empty sync when there is nothing, and ends when told to",
    async run(fixture) {
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      assert.deepEqual(await recorder.next("sync"), { type: "sync", images: [] });
    },
  },
  {
    name: "tells of an image that is created, moved to another target and deleted",
    async run(fixture) {
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      await recorder.next("sync");
      for (const seed of ["created", "moved"]) {
        const digests = await putImage(sampleImage(seed, digestOf), fixture.put);
        await fixture.tag(NAME, digests[0] as Digest);
        const { image } = await recorder.next(
          "image",
          (event) =>
            event.image.target === digests[0] && event.image.present.length === digests.length,
        );
        assert.deepEqual(
          sorted(image),
          sorted({
            name: NAME,
            target: digests[0] as Digest,
            present: digests,
          }),
        );
      }
      await fixture.untag(NAME);
      assert.deepEqual(await recorder.next("delete"), { type: "delete", name: NAME });
    },
  },
  {
    name: "tells when more of an image arrives",
    async run(fixture) {
      const image = sampleImage("growing", digestOf);
      const manifest = await fixture.put(image.manifest);
      const config = await fixture.put(image.config);
      await fixture.tag(NAME, manifest);
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      const { images } = await recorder.next("sync");
      assert.deepEqual(images.map(sorted), [
        sorted({ name: NAME, target: manifest, present: [manifest, config] }),
      ]);
      const layers = [];
      for (const layer of image.layers) layers.push(await fixture.put(layer));
      const event = await recorder.next("image", ({ image }) => image.present.length === 4);
      assert.deepEqual(sorted(event.image).present, [manifest, config, ...layers].sort());
    },
  },
  {
    name: "follows images that refer to themselves or to nonsense to an end",
    async run(fixture) {
      const target = await fixture.put(JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ digest: digestOf("missing"), mediaType: OCI_INDEX, size: 1 }, {
          digest: "md5:1",
        }, 7],
      }));
      const twice = await fixture.put(JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [1, 2].map(() => ({ digest: target, mediaType: OCI_INDEX, size: 1 })),
      }));
      await fixture.tag(NAME, twice);
      await using recorder = new WatchRecorder(fixture.watcher, fixture.clock);
      const { images } = await recorder.next("sync");
      assert.deepEqual(images, [{ name: NAME, target: twice, present: [twice, target] }]);
    },
  },
];

function sorted(image: StoredImage): StoredImage {
  return { ...image, present: [...image.present].sort() };
}
