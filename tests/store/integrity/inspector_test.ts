import assert from "node:assert/strict";
import type { Digest } from "../../../lib/oci/digest.ts";
import type { Store } from "../../../lib/ports/store.ts";
import type { Reporter } from "../../../lib/ports/integrity.ts";
import { Inspector } from "../../../lib/store/integrity/inspector.ts";
import { SoundStore } from "../../../lib/store/integrity/sound_store.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { memoryMetrics } from "../../fakes/metrics.ts";
import { MemoryStore } from "../../fakes/store.ts";
import { test } from "../../support/test.ts";

const CONTENT = "what it is meant to be";
const stranger = (address: string): Reporter => ({ address, proven: false });
const NODE: Reporter = { address: "10.0.0.1", proven: true };
const SIGNAL = { signal: new AbortController().signal };

function rig(override: Partial<Store> = {}) {
  const memory = new MemoryStore();
  const store: Store = Object.assign(Object.create(memory), bind(memory), override);
  const clock = new FakeClock();
  const log = new MemoryLog();
  const metrics = memoryMetrics();
  const changed: Digest[] = [];
  const secret = memory.add("nobody is told of it");
  const inspector = new Inspector({ store, clock, log, metrics });
  inspector.attach({
    has: (digest) => digest !== secret,
    review: (digest) => Promise.resolve(void changed.push(digest)),
  });
  const checks = () => metrics.calls.filter(([name]) => name === "contentChecked").length;
  const warnings = () => log.lines.filter(({ level }) => level === "warn").length;
  return { memory, store, clock, log, metrics, changed, secret, inspector, checks, warnings };
}

function bind(store: MemoryStore): Store {
  return {
    name: store.name,
    resolve: store.resolve.bind(store),
    stamp: store.stamp.bind(store),
    descriptor: store.descriptor.bind(store),
    open: store.open.bind(store),
  };
}

test("integrity: damaged content counts as not held until it is rewritten and sound", async () => {
  const { memory, clock, inspector, changed, metrics, warnings } = rig();
  const sound = new SoundStore(memory, inspector);
  const digest = memory.add(CONTENT);
  memory.damage(digest, CONTENT.replace("meant", "maent"));
  inspector.doubt(digest, stranger("10.0.0.9"));
  await clock.advance(10);
  assert.equal(inspector.isDamaged(digest), true);
  assert.deepEqual(changed, [digest]);
  assert.equal(await sound.descriptor(digest, SIGNAL), undefined);
  assert.equal(await sound.open(digest, SIGNAL), undefined);
  assert.deepEqual(metrics.calls, [["contentChecked", "damaged"], ["damagedContent", 1]]);
  // Neither time nor another doubt changes anything.
  await clock.advance(120_000);
  inspector.doubt(digest);
  assert.equal(inspector.isDamaged(digest), true);
  assert.deepEqual([changed.length, warnings()], [1, 1]);
  // Written anew, and wrong again.
  memory.add(CONTENT);
  memory.damage(digest, "wrong again");
  await clock.advance(20_000);
  assert.equal(inspector.isDamaged(digest), true);
  memory.add(CONTENT);
  await clock.advance(20_000);
  assert.equal(inspector.isDamaged(digest), false);
  assert.deepEqual(changed, [digest, digest]);
  assert.deepEqual(await sound.descriptor(digest, SIGNAL), await memory.descriptor(digest, SIGNAL));
  assert.deepEqual(metrics.calls.at(-1), ["damagedContent", 0]);
  assert.equal(clock.sleeping, 0);
  await inspector.close();
});

test("integrity: removed content is no longer damaged", async () => {
  const { memory, clock, inspector, changed } = rig();
  const digest = memory.add(CONTENT);
  memory.damage(digest, "");
  inspector.doubt(digest);
  await clock.advance(10);
  assert.equal(inspector.isDamaged(digest), true);
  memory.remove(digest);
  await clock.advance(10_000);
  assert.equal(inspector.isDamaged(digest), false);
  assert.equal(changed.length, 2);
  await inspector.close();
});

test("integrity: content that cannot be read to its end is damaged, unless the store is down", async (t) => {
  const fails = () => Promise.reject(new Error("the store is away"));
  const broken = () =>
    Promise.resolve(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull: (controller) => controller.error(new Error("Input/output error (os error 5)")),
      }),
    );
  const cases: { name: string; store: Partial<Store>; damaged: boolean; checked: string }[] = [
    { name: "a bad disk", store: { open: broken }, damaged: true, checked: "damaged" },
    { name: "no answer", store: { descriptor: fails }, damaged: false, checked: "unknown" },
    { name: "cannot be opened", store: { open: fails }, damaged: false, checked: "unknown" },
    { name: "cannot be told", store: { stamp: fails }, damaged: false, checked: "unknown" },
    {
      name: "gone by then",
      store: { open: () => Promise.resolve(undefined) },
      damaged: false,
      checked: "unknown",
    },
  ];
  for (const { name, store, damaged, checked } of cases) {
    await t.step(name, async () => {
      const { memory, clock, inspector, metrics } = rig(store);
      const digest = memory.add(CONTENT);
      inspector.doubt(digest);
      await clock.advance(2_000);
      assert.equal(inspector.isDamaged(digest), damaged);
      assert.deepEqual(metrics.calls[0], ["contentChecked", checked]);
      await inspector.close();
    });
  }
});

test("integrity: content that is rewritten during a check gets no verdict", async () => {
  let again = () => {};
  const { memory, clock, inspector } = rig({
    open: async (digest, options) => {
      const opened = await memory.open(digest, options);
      again();
      return opened;
    },
  });
  const digest = memory.add(CONTENT);
  memory.damage(digest, "wrong");
  again = () => void memory.add(CONTENT);
  inspector.doubt(digest);
  await clock.advance(10);
  assert.equal(inspector.isDamaged(digest), false);
  await inspector.close();
});

test("integrity: false reports of unverified peers cost a bounded number of checks", async () => {
  const { memory, clock, inspector, secret, checks } = rig();
  const digests = Array.from({ length: 300 }, (_, index) => memory.add(`content ${index}`));
  // A flood of one.
  for (let second = 0; second < 30; second++) {
    for (const digest of digests) inspector.doubt(digest, stranger("10.0.0.9"));
    await clock.advance(1000);
  }
  assert.equal(checks(), 1);
  // Of many.
  for (let second = 0; second < 20; second++) {
    for (const [index, digest] of digests.entries()) {
      inspector.doubt(digest, stranger(`10.0.1.${index}`));
    }
    await clock.advance(1000);
  }
  assert.ok(checks() <= 1 + 5, `${checks()} looks`);
  // What a node doubts goes before.
  const late = memory.add("late");
  inspector.doubt(late, NODE);
  const seen = checks();
  await clock.advance(5_000);
  assert.ok(checks() > seen && inspector.isDamaged(late) === false);
  memory.damage(late, "wrong");
  await clock.advance(60_000);
  inspector.doubt(late);
  await clock.advance(5_000);
  assert.equal(inspector.isDamaged(late), true);
  // All that waits is read in the end.
  await clock.advance(120_000);
  const before = checks();
  inspector.doubt(secret, NODE);
  inspector.doubt(secret, stranger("10.0.0.77"));
  await clock.advance(10);
  assert.equal(checks(), before, "nobody can have got it from here");
  await inspector.close();
});

test("integrity: a confirmed reporter is trusted again; a verified node is from time to time", async () => {
  const { memory, clock, inspector, checks } = rig();
  const [a, b, c] = ["a", "b", "c"].map((content) => memory.add(content)) as [
    Digest,
    Digest,
    Digest,
  ];
  memory.damage(a, "x");
  inspector.doubt(a, stranger("10.0.0.9"));
  await clock.advance(6000);
  inspector.doubt(b, stranger("10.0.0.9"));
  await clock.advance(6000);
  inspector.doubt(c, stranger("10.0.0.9"));
  await clock.advance(6000);
  assert.equal(checks(), 2, "the second time it was wrong");
  for (let second = 0; second < 60; second++) {
    inspector.doubt(c, NODE);
    await clock.advance(1000);
  }
  assert.equal(checks(), 3);
  inspector.doubt(c, NODE);
  await clock.advance(10);
  assert.equal(checks(), 4);
  await inspector.close();
});

test("integrity: closing ends a check in progress", async () => {
  const { memory, clock, inspector } = rig({ open: () => new Promise(() => {}) });
  inspector.doubt(memory.add(CONTENT));
  await clock.advance(10);
  await inspector.close();
  inspector.doubt(memory.add("another"));
});
