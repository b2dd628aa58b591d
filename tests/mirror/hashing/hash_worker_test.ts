import assert from "node:assert/strict";
import { systemClock } from "../../../lib/async/clock.ts";
import {
  HashWorker,
  type HashWorkerCollaborators,
} from "../../../lib/mirror/hashing/hash_worker.ts";
import { SLOT_BYTES, SLOTS } from "../../../lib/mirror/hashing/ring.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";
import { FakeThread } from "./fake_thread.ts";

const LASTING = { signal: new AbortController().signal };

function worker(given: Partial<HashWorkerCollaborators> = {}): HashWorker & Disposable {
  const made = new HashWorker({ clock: systemClock, ...given });
  return Object.assign(made, { [Symbol.dispose]: () => made.close() });
}

test("hash worker: content in pieces of any size, more than the ring holds", async () => {
  using hashes = worker();
  const content = noise(SLOTS * SLOT_BYTES * 2 + 12_345);
  for (const piece of [1_000_000, SLOT_BYTES, 77_777]) {
    const verifier = hashes.verifier(digestOf(content), LASTING);
    for (let at = 0; at < content.length; at += piece) {
      const chunk = content.slice(at, at + piece);
      await verifier.update(chunk);
      // Whoever gave it may do with it what he wants from here on.
      chunk.fill(0);
    }
    assert.equal(await verifier.matches(), true);
  }
});

test("hash worker: what has passed up to each mark has a hash of its own", async () => {
  using hashes = worker();
  const content = noise(3 * SLOT_BYTES);
  const verifier = hashes.verifier(digestOf(content), LASTING);
  const marks = [0, 1000, SLOT_BYTES + 7];
  for (const [index, start] of marks.entries()) {
    await verifier.mark();
    await verifier.update(content.slice(start, marks[index + 1]));
  }
  assert.equal(await verifier.matches(), true);
  const want = marks.map((end) => digestOf(content.slice(0, end)).replace("sha256:", ""));
  assert.deepEqual(verifier.marks, want);
});

test("hash worker: several at once, with either algorithm, right and wrong ones", async () => {
  let idle = 0;
  using hashes = worker({ whenIdle: () => idle++ });
  const contents = [1, 2, 3, 4].map((seed) => noise(500_000 * seed, seed));
  const results = await Promise.all(contents.map(async (content, index) => {
    const sha512 = digestOf(content, "sha512");
    const right = index % 2 === 0 ? digestOf(content) : sha512;
    const wrong = digestOf(noise(5));
    const verifiers = [right, wrong].map((digest) => hashes.verifier(digest, LASTING));
    for (let at = 0; at < content.length; at += 100_000) {
      for (const each of verifiers) await each.update(content.subarray(at, at + 100_000));
    }
    return await Promise.all(verifiers.map((each) => each.matches()));
  }));
  assert.deepEqual(results, contents.map(() => [true, false]));
  assert.equal(hashes.active, 0);
  assert.ok(idle >= 1);
});

test("hash worker: nothing at all, and what is dropped", async () => {
  using hashes = worker();
  assert.equal(await hashes.verifier(digestOf(new Uint8Array(0)), LASTING).matches(), true);
  const dropped = hashes.verifier(digestOf(noise(1)), LASTING);
  await dropped.update(noise(10));
  dropped.drop();
  dropped.drop();
  assert.equal(hashes.active, 0);
});

test("hash worker: once it has ended whoever waits for it is told, and new work is refused", async () => {
  const hashes = worker();
  const verifier = hashes.verifier(digestOf(noise(1)), LASTING);
  const update = verifier.update(new Uint8Array(SLOTS * SLOT_BYTES * 20));
  hashes.close();
  await assert.rejects(async () => await update, /has ended/);
  await assert.rejects(async () => await verifier.matches(), /has ended/);
  assert.equal(hashes.usable, false);
  assert.equal(hashes.active, 0);
});

/** More than the ring has room for. */
const FULL = new Uint8Array(SLOTS * SLOT_BYTES * 2);

test("hash worker: a thread that hangs fails all who wait for it, in the time it has", async ({ step }) => {
  const cases: { name: string; wait: (hashes: HashWorker) => Promise<unknown>[] }[] = [
    {
      name: "for room",
      wait: (hashes) => [hashes.verifier(digestOf(FULL), LASTING).update(FULL) as Promise<void>],
    },
    {
      name: "for the result",
      wait: (hashes) => [hashes.verifier(digestOf(FULL), LASTING).matches() as Promise<boolean>],
    },
    {
      name: "several, one behind the other",
      wait: (hashes) =>
        [1, 2, 3].flatMap(() => {
          const verifier = hashes.verifier(digestOf(FULL), LASTING);
          return [verifier.update(FULL) as Promise<void>, verifier.matches() as Promise<boolean>];
        }),
    },
  ];
  for (const { name, wait } of cases) {
    await step(name, async () => {
      const clock = new FakeClock();
      const thread = new FakeThread();
      const hashes = new HashWorker({ clock, start: () => thread });
      const ends = wait(hashes).map((each) => each.then(() => "done", String));
      await clock.advance(9_000);
      assert.equal(hashes.usable, true);
      await clock.advance(2_000);
      for (const end of await Promise.all(ends)) assert.match(end, /hangs/);
      assert.deepEqual([hashes.usable, thread.ended, clock.sleeping], [false, true, 0]);
    });
  }
});

test("hash worker: whoever goes away while he waits is let go, and nothing of his is written", async () => {
  const clock = new FakeClock();
  const thread = new FakeThread();
  const hashes = new HashWorker({ clock, start: () => thread });
  const client = new AbortController();
  const verifier = hashes.verifier(digestOf(FULL), client);
  const update = (verifier.update(FULL) as Promise<void>).then(() => "done", String);
  await clock.advance(0);
  const gone = hashes.verifier(digestOf(FULL), client);
  const matches = (gone.matches() as Promise<boolean>).then(() => "done", String);
  client.abort("gone");
  assert.deepEqual(await Promise.all([update, matches]), ["gone", "gone"]);
  verifier.drop();
  gone.drop();
  assert.equal(hashes.active, 0);
  const other = hashes.verifier(digestOf(noise(1)), LASTING);
  const matched = other.matches() as Promise<boolean>;
  const { updates, results } = await thread.work(matched);
  assert.deepEqual([updates, results], [SLOTS - 1, 1]);
  assert.equal(hashes.usable, true);
  hashes.close();
  assert.equal(clock.sleeping, 0);
});

test("hash worker: a thread that crashes fails all who wait for it at once", async () => {
  const clock = new FakeClock();
  const thread = new FakeThread();
  const hashes = new HashWorker({ clock, start: () => thread });
  const verifier = hashes.verifier(digestOf(FULL), LASTING);
  const update = (verifier.update(FULL) as Promise<void>).then(() => "done", String);
  thread.crash("out of memory");
  assert.match(await update, /failed: out of memory/);
  assert.deepEqual([hashes.usable, thread.ended, clock.sleeping], [false, true, 0]);
});
