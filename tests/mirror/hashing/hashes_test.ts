import assert from "node:assert/strict";
import { Hashes } from "../../../lib/mirror/hashing/hashes.ts";
import type { HashThread } from "../../../lib/mirror/hashing/hash_worker.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";
import { FakeThread } from "./fake_thread.ts";

const LARGE = 64 * 1024 * 1024;
const LASTING = { signal: new AbortController().signal };
const CONTENT = noise(1000);

function rig(start?: () => HashThread) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const threads: FakeThread[] = [];
  const hashes = new Hashes({
    clock,
    log,
    start: start ?? (() => {
      const thread = new FakeThread();
      threads.push(thread);
      return thread;
    }),
  }, { processors: 2 });
  const verifier = () => hashes.verifier(digestOf(CONTENT), LARGE, LASTING);
  /** Hashes something small as if it was large: whether it could be. */
  const use = async () => {
    const made = verifier();
    await made.update(CONTENT);
    return await made.matches();
  };
  return { clock, log, threads, hashes, verifier, use };
}

const warnings = (log: MemoryLog) =>
  log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);

test("hashes: after a thread that hangs the main one hashes for a while, then a new one is started", async () => {
  const { clock, log, threads, hashes, verifier, use } = rig();
  const stuck = (verifier().matches() as Promise<boolean>).then(String, String);
  await clock.advance(11_000);
  assert.match(await stuck, /hangs/);
  assert.equal(await use(), true);
  assert.equal(await use(), true);
  assert.equal(threads.length, 1);
  assert.deepEqual(warnings(log), ["the thread that hashes is given up for a while"]);
  await clock.advance(30_000);
  verifier().drop();
  assert.deepEqual(threads.map(({ ended }) => ended), [true, false]);
  hashes.close();
  assert.deepEqual([threads[1]?.ended, clock.sleeping], [true, 0]);
});

test("hashes: where no thread can be started the main one hashes", async () => {
  const { log, hashes, use } = rig(() => {
    throw new Error("no more threads");
  });
  assert.equal(await use(), true);
  assert.equal(await use(), true);
  assert.equal(warnings(log).length, 1);
  hashes.close();
});

test("hashes: a thread ends once nothing was hashed for a while, and not before", async () => {
  const { clock, threads, hashes, verifier } = rig();
  verifier().drop();
  await clock.advance(29_000);
  const used = verifier();
  await clock.advance(60_000);
  assert.equal(threads[0]?.ended, false);
  used.drop();
  await clock.advance(30_000);
  assert.deepEqual(threads.map(({ ended }) => ended), [true]);
  hashes.close();
});
