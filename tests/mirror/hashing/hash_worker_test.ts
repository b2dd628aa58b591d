import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { HashWorker } from "../../../lib/mirror/hashing/hash_worker.ts";
import { SLOT_BYTES, SLOTS } from "../../../lib/mirror/hashing/ring.ts";
import type { Digest } from "../../../lib/oci/digest.ts";
import { test } from "../../support/test.ts";
import { digestOf } from "../fault_peer.ts";
import { noise } from "../rig.ts";

function worker(whenIdle: () => void = () => {}): HashWorker & Disposable {
  const made = new HashWorker(whenIdle);
  return Object.assign(made, { [Symbol.dispose]: () => made.close() });
}

test("hash worker: content in pieces of any size, more than the ring holds", async () => {
  using hashes = worker();
  const content = noise(SLOTS * SLOT_BYTES * 2 + 12_345);
  for (const piece of [1_000_000, SLOT_BYTES, 77_777]) {
    const verifier = hashes.verifier(digestOf(content));
    for (let at = 0; at < content.length; at += piece) {
      const chunk = content.slice(at, at + piece);
      await verifier.update(chunk);
      // Whoever gave it may do with it what he wants from here on.
      chunk.fill(0);
    }
    assert.equal(await verifier.matches(), true);
  }
});

test("hash worker: several at once, with either algorithm, right and wrong ones", async () => {
  let idle = 0;
  using hashes = worker(() => idle++);
  const contents = [1, 2, 3, 4].map((seed) => noise(500_000 * seed, seed));
  const results = await Promise.all(contents.map(async (content, index) => {
    const sha512: Digest = `sha512:${createHash("sha512").update(content).digest("hex")}`;
    const right = index % 2 === 0 ? digestOf(content) : sha512;
    const wrong = digestOf(noise(5));
    const verifiers = [right, wrong].map((digest) => hashes.verifier(digest));
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
  assert.equal(await hashes.verifier(digestOf(new Uint8Array(0))).matches(), true);
  const dropped = hashes.verifier(digestOf(noise(1)));
  await dropped.update(noise(10));
  dropped.drop();
  dropped.drop();
  assert.equal(hashes.active, 0);
});

test("hash worker: once it has ended whoever waits for it is told, and new work is refused", async () => {
  const hashes = worker();
  const verifier = hashes.verifier(digestOf(noise(1)));
  const update = verifier.update(new Uint8Array(SLOTS * SLOT_BYTES * 20));
  hashes.close();
  await assert.rejects(async () => await update, /has ended/);
  await assert.rejects(async () => await verifier.matches(), /has ended/);
  assert.equal(hashes.usable, false);
  assert.equal(hashes.active, 0);
});
