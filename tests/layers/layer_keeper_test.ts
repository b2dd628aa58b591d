import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { KeptLayers } from "../../lib/layers/kept_layers.ts";
import { MemoryLeases } from "../fakes/leases.ts";
import { test } from "../support/test.ts";
import { image, KeeperRig } from "./keeper_rig.ts";

const HOUR_MS = 60 * 60_000;
const APP = "registry.test/team/app:1";
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: { mediaType: OCI_CONFIG, digest: digestOf("config"), size: 6 },
  layers: [],
});
const SAME = "registry.test/team/app:latest";

test("layer keeper: a layer is kept from before it arrives until its last image is gone", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  const [base, top] = await rig.pull("base", "top") as [`sha256:${string}`, `sha256:${string}`];
  assert.deepEqual(rig.kept, [base, top].sort());
  await rig.tell({ type: "image", image: image(APP, base, top) });
  await rig.tell({ type: "image", image: image(SAME, base) });
  assert.deepEqual(rig.keeper.totals(), { layers: 2, bytes: "basetop".length });
  await rig.tell({ type: "delete", name: APP });
  assert.deepEqual(rig.kept, [base]);
  await rig.tell({ type: "delete", name: SAME });
  assert.deepEqual(rig.kept, []);
  assert.deepEqual(rig.keeper.totals(), { layers: 0, bytes: 0 });
});

test("layer keeper: an image that is removed at once is noticed, too", async () => {
  await using rig = new KeeperRig();
  const [layer] = await rig.pull("layer");
  assert.ok(layer !== undefined);
  await rig.tell({ type: "sync", images: [image(APP, layer)] }, { type: "delete", name: APP });
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: what never becomes part of an image is let go after an hour", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  const asked = digestOf("asked for, and never delivered");
  await rig.keeper.expect(asked);
  const [broken] = await rig.pull("of a pull that broke off");
  await rig.clock.advance(0.9 * HOUR_MS);
  assert.deepEqual(rig.kept, [asked, broken].sort());
  await rig.clock.advance(0.2 * HOUR_MS);
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: a pull may take longer than an hour", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  const [small] = await rig.pull("small");
  const large = digestOf("large");
  await rig.keeper.expect(large);
  rig.arriving.add(large);
  await rig.clock.advance(1.9 * HOUR_MS);
  assert.deepEqual(rig.kept, [small, large].sort());
  // It is unpacked, and then the image appears; or else the pull broke off.
  rig.store.add("large");
  rig.arriving.clear();
  await rig.clock.advance(0.05 * HOUR_MS);
  assert.deepEqual(rig.kept, [small, large].sort());
  await rig.clock.advance(0.2 * HOUR_MS);
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: pulls that go on and on do not keep what broke off for more than a day", () => {
  const kept = new KeptLayers({ awaitMs: 1, maxAwaitMs: 24, maxAwaited: 10 });
  const broken = digestOf("of a pull that broke off");
  kept.await(broken, 0, { recorded: true });
  const late: number[] = [];
  for (let hour = 1; hour <= 26; hour++) {
    kept.pulling(hour);
    if (kept.unnamed(new Set(), hour).length > 0) late.push(hour);
  }
  assert.deepEqual(late, [25, 26]);
});

test("layer keeper: many names that are never delivered do not push out what an image has", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  const [layer] = await rig.pull("layer");
  assert.ok(layer !== undefined);
  await rig.tell({ type: "image", image: image(APP, layer) });
  for (let count = 0; count < 1_200; count++) await rig.keeper.expect(digestOf(`made up ${count}`));
  await rig.clock.advance(60_000);
  assert.equal(rig.leases.kept.size, 1_001);
  assert.ok(rig.leases.kept.has(layer));
  assert.ok(rig.leases.kept.has(digestOf("made up 1199")));
  assert.ok(!rig.leases.kept.has(digestOf("made up 100")));
});

test("layer keeper: a restarted agent goes on with what the leases keep", async () => {
  const kept = new Map([[digestOf("layer"), Infinity], [digestOf("of no image"), Infinity]]);
  await using rig = new KeeperRig(new MemoryLeases(() => 0, kept));
  const layer = rig.store.add("layer");
  await rig.tell({ type: "sync", images: [image(APP, layer)] });
  assert.deepEqual(rig.kept, [layer, digestOf("of no image")].sort());
  assert.equal(rig.keeper.totals().layers, 1);
  await rig.tell({ type: "delete", name: APP });
  assert.deepEqual(rig.kept, [digestOf("of no image")]);
  await rig.clock.advance(1.1 * HOUR_MS);
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: two agents of one node keep and release the same", async () => {
  await using old = new KeeperRig();
  await using next = new KeeperRig(old.leases.another());
  const both = async (event: StoreEvent) => {
    for (const rig of [old, next]) await rig.tell(event);
  };
  await both({ type: "sync", images: [] });
  const [first] = await old.pull("first");
  const [second] = await next.pull("second");
  assert.ok(first !== undefined && second !== undefined);
  next.store.add("first");
  old.store.add("second");
  await both({ type: "image", image: image(APP, first, second) });
  for (const rig of [old, next]) await rig.clock.advance(2 * HOUR_MS);
  assert.deepEqual(old.kept, [first, second].sort());
  await both({ type: "image", image: image(APP, first) });
  assert.deepEqual(old.kept, [first]);
  await both({ type: "delete", name: APP });
  for (const rig of [old, next]) await rig.clock.advance(HOUR_MS);
  assert.deepEqual(old.kept, []);
});

test("layer keeper: what was pulled past Eddy is kept, what was made here is not", async () => {
  await using rig = new KeeperRig();
  const layer = rig.store.add("pulled by another client");
  const built = rig.store.add("built");
  const sources = [{ registry: "registry.test", repository: "team/app" }];
  await rig.tell(
    { type: "sync", images: [] },
    { type: "content", digest: layer, sources },
    { type: "content", digest: built, sources: [] },
  );
  assert.deepEqual(rig.kept, [layer]);
});

test("layer keeper: what images have and came past Eddy is kept, but for manifests", async () => {
  await using rig = new KeeperRig();
  const layer = rig.store.add("layer");
  const manifest = rig.store.add(MANIFEST);
  await rig.tell({ type: "sync", images: [image(APP, manifest, layer)] });
  assert.deepEqual(rig.kept, [layer]);
  await rig.tell({ type: "delete", name: APP });
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: beyond the budget the least recently served is let go, for good", async () => {
  await using rig = new KeeperRig(undefined, { maxBytes: 8, lackingBytes: 0 });
  await rig.tell({ type: "sync", images: [] });
  const pulled: Digest[] = [];
  for (const content of ["aaaa", "bbbb", "cccc"]) {
    const [digest] = await rig.pull(content);
    assert.ok(digest !== undefined);
    pulled.push(digest);
    await rig.clock.advance(1);
    if (content === "bbbb") rig.keeper.served(pulled[0] as Digest);
    await rig.tell({ type: "image", image: image(`${APP}-${content}`, digest) });
  }
  const [a, b, c] = pulled as [Digest, Digest, Digest];
  assert.deepEqual(rig.kept, [a, c].sort());
  assert.deepEqual(rig.metrics.calls.findLast(([name]) => name === "layersKept"), [
    "layersKept",
    { layers: 2, bytes: 8 },
  ]);
  assert.deepEqual(
    rig.metrics.calls.filter(([name]) => name === "layerReleased"),
    [["layerReleased", "budget"]],
  );
  // Until the collector takes it, its image still has it.
  await rig.tell({ type: "image", image: image(`${APP}-bbbb`, b) });
  assert.deepEqual(rig.kept, [a, c].sort());
  await rig.pull("bbbb");
  assert.ok(rig.kept.includes(b), "it is pulled again");
});

test("layer keeper: a disk that is full at the start is known before the first pull", async () => {
  const before = new Map([[digestOf("before"), Infinity]]);
  await using rig = new KeeperRig(new MemoryLeases(() => 0, before), {
    maxBytes: Infinity,
    lackingBytes: 5,
  });
  await rig.clock.advance(0);
  const [late] = await rig.pull("late");
  assert.deepEqual(rig.kept, [digestOf("before")]);
  assert.ok(late !== undefined);
  await rig.tell({ type: "sync", images: [image(APP, rig.store.add("before"), late)] });
  assert.deepEqual(rig.kept, []);
});

test("layer keeper: while the disk fills up the oldest go, and nothing is added", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  const pulled: Digest[] = [];
  for (const content of ["aaaa", "bbbb", "cccc"]) {
    pulled.push(...await rig.pull(content));
    await rig.clock.advance(1_000);
  }
  const [a, b, c] = pulled as [Digest, Digest, Digest];
  await rig.tell({ type: "image", image: image(APP, a, b, c) });
  rig.keeper.served(a);
  rig.room = { maxBytes: Infinity, lackingBytes: 5 };
  await rig.clock.advance(30_000);
  assert.deepEqual(rig.kept, [c]);
  await rig.pull("dddd");
  assert.deepEqual(rig.kept, [c]);
  rig.room = { maxBytes: Infinity, lackingBytes: 0 };
  await rig.clock.advance(30_000);
  const [e] = await rig.pull("eeee");
  assert.deepEqual(rig.kept, [c, e].sort());
  const told = rig.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  assert.deepEqual(told, ["the disk fills up, the oldest layers are let go"]);
});

test("layer keeper: while the store does not answer pulls go on, and are made up for", async () => {
  await using rig = new KeeperRig();
  await rig.tell({ type: "sync", images: [] });
  rig.leases.failing = true;
  const [layer] = await rig.pull("layer");
  assert.ok(layer !== undefined);
  await rig.tell({ type: "image", image: image(APP, layer) });
  assert.deepEqual(rig.kept, []);
  rig.leases.failing = false;
  await rig.clock.advance(60_000);
  assert.deepEqual(rig.kept, [layer]);
  const told = rig.log.lines.filter(({ level }) => level !== "debug").map(({ message }) => message);
  assert.deepEqual(told, ["layers cannot be kept, trying again", "layers are kept again"]);
});

test("layer keeper: a blob that cannot be read does not keep others from being released", async () => {
  await using rig = new KeeperRig(undefined, { maxBytes: 4, lackingBytes: 0 });
  const damaged = digestOf("damaged");
  const look = rig.store.descriptor.bind(rig.store);
  rig.store.descriptor = (digest, options) =>
    digest === damaged ? Promise.reject(new Error("blob not found")) : look(digest, options);
  await rig.keeper.expect(damaged);
  const [first, second] = await rig.pull("1st", "2nd");
  assert.ok(first !== undefined && second !== undefined);
  await rig.tell({ type: "sync", images: [image(APP, damaged, first), image(SAME, second)] });
  assert.deepEqual(rig.kept, [damaged, second].sort(), "the budget");
  await rig.tell({ type: "delete", name: SAME });
  assert.deepEqual(rig.kept, [damaged]);
});
