import assert from "node:assert/strict";
import { digestOf } from "../../../lib/oci/digest.ts";
import { test } from "../../support/test.ts";
import { type Faults } from "../fault_peer.ts";
import { blob, bytesOf, noise, PATIENT, Rig, STREAMED } from "../rig.ts";

const MIB = 1024 * 1024;
const LARGE = noise(12 * MIB, 99);
/** Splits early, so that tests need not take long. */
const SPLIT = {
  ...PATIENT,
  ...STREAMED,
  splitProbeMs: 30,
  splitMinBytes: MIB,
  splitPieceBytes: MIB / 2,
};
const SLOW: Faults = { chunkDelayMs: 4 };

/** Bytes that each peer sent. */
function sent(rig: Rig): number[] {
  return rig.peers.map((peer) => peer.sent);
}

test("split: a large blob comes from all that hold it, whole, in order", async () => {
  await using rig = new Rig(SPLIT);
  for (let count = 0; count < 3; count++) rig.add(LARGE, { ...SLOW });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert.deepEqual(await bytesOf(answer), LARGE);
  for (const bytes of sent(rig)) assert.ok(bytes > MIB, String(sent(rig)));
  assert.ok(rig.mirror.health().every(({ inFlight }) => inFlight === 0));
});

test("split: a peer that was asked first and came second sends its part, too", async () => {
  await using rig = new Rig({ ...SPLIT, hedgeMinMs: 10 });
  for (let count = 0; count < 3; count++) rig.add(LARGE, { ...SLOW, headerDelayMs: 40 });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert.deepEqual(await bytesOf(answer), LARGE);
  for (const bytes of sent(rig)) assert.ok(bytes > MIB, String(sent(rig)));
});

test("split: a part of a blob is got from several, too, and nothing outside of it", async () => {
  await using rig = new Rig(SPLIT);
  for (let count = 0; count < 2; count++) rig.add(LARGE, { ...SLOW });
  const [start, end] = [MIB + 17, 11 * MIB + 3];
  const answer = await rig.fetch(blob(digestOf(LARGE), `bytes=${start}-${end - 1}`));
  assert.deepEqual(await bytesOf(answer), LARGE.slice(start, end));
  for (const bytes of sent(rig)) assert.ok(bytes > MIB, String(sent(rig)));
});

test("split: one peer alone goes on alone", async () => {
  await using rig = new Rig(SPLIT);
  const only = rig.add(LARGE, { ...SLOW });
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  assert.equal(only.asked.length, 1, "in one answer, which a peer that leaves completes");
});

test("split: never with one peer as the setting, or with a client that is the slow one", async () => {
  for (const [options, faults] of [[{ splitPeers: 1 }, SLOW], [{}, {}]] as const) {
    await using rig = new Rig({ ...SPLIT, ...options });
    for (let count = 0; count < 2; count++) rig.add(LARGE, { ...faults });
    const answer = await rig.fetch(blob(digestOf(LARGE)));
    assert.ok(answer.found);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of answer.body ?? []) {
      parts.push(chunk.slice());
      if (faults !== SLOW) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.deepEqual(new Uint8Array(await new Blob(parts).arrayBuffer()), LARGE);
    assert.equal(sent(rig)[1], 0);
  }
});

/** What becomes of one of three peers while the others go on. */
const TROUBLES: Record<string, Faults> = {
  "dies": { dieAt: 6 * MIB },
  "stalls": { stallAt: 6 * MIB },
  "has nothing of it": { status: 404 },
  "does not answer": { silent: true },
  "answers ranges with everything": { ignoreRange: true },
  "is much slower": { chunkDelayMs: 60 },
};

for (const [what, faults] of Object.entries(TROUBLES)) {
  test(`split: a peer that ${what} costs nothing but its part`, async () => {
    await using rig = new Rig({ ...SPLIT, responseTimeoutMs: 300, headerBudgetMs: 600 });
    rig.add(LARGE, { ...SLOW });
    rig.add(LARGE, { ...SLOW, ...faults });
    rig.add(LARGE, { ...SLOW });
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  });
}

test("split: all die but one that appears later", async () => {
  await using rig = new Rig(SPLIT);
  rig.add(LARGE, { ...SLOW, dieAt: 5 * MIB });
  rig.add(LARGE, { ...SLOW, dieAt: 5 * MIB });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  rig.add(LARGE, { ...SLOW });
  assert.deepEqual(await bytesOf(answer), LARGE);
});

test("split: nobody is left: the body errors, it neither hangs nor ends", async () => {
  await using rig = new Rig({ ...SPLIT, giveUpMs: 600 });
  for (let count = 0; count < 3; count++) rig.add(LARGE, { ...SLOW, dieAt: 8 * MIB });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  await assert.rejects(bytesOf(answer));
});

test("split: a lie is found before the end, nobody is blamed for it, liars are next time", async () => {
  await using rig = new Rig(SPLIT);
  rig.add(LARGE, { ...SLOW, lieAt: 11 * MIB });
  rig.add(LARGE, { ...SLOW, lieAt: 11 * MIB });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  await assert.rejects(bytesOf(answer), /digest mismatch/);
  assert.ok(rig.mirror.health().every(({ standing }) => standing === "good"));
  const again = await rig.fetch(blob(digestOf(LARGE)));
  assert.ok(!again.found, "each alone, and verified before it is passed on");
  assert.equal(again.reason, "bad-content");
  assert.ok(rig.mirror.health().every(({ standing }) => standing === "shunned"));
});

test("split: a client that goes away ends all of it", async () => {
  await using rig = new Rig(SPLIT);
  for (let count = 0; count < 3; count++) rig.add(LARGE, { ...SLOW });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert.ok(answer.found && answer.body !== null);
  const reader = answer.body.getReader();
  for (let got = 0; got < 5 * MIB;) got += (await reader.read()).value?.length ?? 5 * MIB;
  await reader.cancel();
  // Requests that were just being made end a moment later.
  const idle = () => rig.mirror.health().every(({ inFlight }) => inFlight === 0);
  for (let i = 0; i < 200 && !idle(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(idle());
});

test("split: a client that stops reading is not buffered for without bound", async () => {
  await using rig = new Rig(SPLIT);
  for (let count = 0; count < 3; count++) rig.add(LARGE, { ...SLOW });
  const answer = await rig.fetch(blob(digestOf(LARGE)));
  assert.ok(answer.found && answer.body !== null);
  const reader = answer.body.getReader();
  let got = 0;
  while (got < 4 * MIB) got += (await reader.read()).value?.length ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 400));
  const ahead = sent(rig).reduce((sum, bytes) => sum + bytes, 0) - got;
  // Seven pieces, what is in the sockets' buffers, and what a first peer sent beyond its piece.
  assert.ok(ahead < 7 * MIB, `${ahead} bytes ahead of the client`);
  await reader.cancel();
});
