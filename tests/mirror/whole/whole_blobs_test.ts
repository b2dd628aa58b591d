import assert from "node:assert/strict";
import { digestOf } from "../../../lib/oci/digest.ts";
import { test } from "../../support/test.ts";
import { type Faults } from "../fault_peer.ts";
import { blob, bytesOf, noise, PATIENT, Rig } from "../rig.ts";

const MIB = 1024 * 1024;
const LAYER = noise(4 * MIB, 5);
const DIGEST = digestOf(LAYER);
/** One flipped byte near the beginning. */
const ROTTEN: Faults = { lieAt: 1000 };
/** The first MiB is rubbish, then the connection closes. */
const HIT_AND_RUN: Faults = { lieAt: 1000, dieAt: MIB };

function standings(rig: Rig): Record<string, string> {
  return Object.fromEntries(rig.mirror.health().map(({ id, standing }) => [id, standing]));
}

/** Holders in the order in which they are asked: what comes of it, and who is shunned. */
const ORDERS: Record<string, { peers: Faults[]; found: boolean; shunned: number[] }> = {
  "a liar alone": { peers: [ROTTEN], found: false, shunned: [0] },
  "a liar first": { peers: [ROTTEN, {}], found: true, shunned: [0] },
  "a liar second": { peers: [{}, ROTTEN], found: true, shunned: [] },
  "liars before an honest one": {
    peers: [ROTTEN, ROTTEN, ROTTEN, ROTTEN, {}],
    found: true,
    shunned: [0, 1, 2, 3],
  },
  "liars alone": { peers: [ROTTEN, { lieAt: 4 * MIB - 1 }], found: false, shunned: [0, 1] },
  "rubbish and gone first": { peers: [HIT_AND_RUN, {}], found: true, shunned: [0] },
  "rubbish and gone alone": { peers: [HIT_AND_RUN], found: false, shunned: [] },
  "rubbish and gone, twice": { peers: [HIT_AND_RUN, HIT_AND_RUN, {}], found: true, shunned: [0] },
  "rubbish and gone, more than may fail": {
    peers: [HIT_AND_RUN, HIT_AND_RUN, HIT_AND_RUN, HIT_AND_RUN, HIT_AND_RUN, {}],
    found: true,
    shunned: [0],
  },
  "gone, then rubbish": { peers: [{ dieAt: MIB }, ROTTEN, {}], found: true, shunned: [] },
  "gone, then rubbish in its part": {
    peers: [{ dieAt: MIB }, { lieAt: 2 * MIB }, {}],
    found: true,
    shunned: [1],
  },
  "stalls, then honest": { peers: [{ stallAt: MIB, lieAt: 5 }, {}], found: true, shunned: [0] },
  "relays rubbish": {
    peers: [{ ...ROTTEN, headers: { "x-eddy-arriving": "true" } }, {}],
    found: true,
    shunned: [],
  },
};

for (const [name, { peers, found, shunned }] of Object.entries(ORDERS)) {
  for (const range of [undefined, `bytes=${3 * MIB}-`]) {
    test(`whole: ${name}${range ? ", a part is wanted" : ""}`, async () => {
      await using rig = new Rig(PATIENT);
      for (const faults of peers) rig.add(LAYER, { ...faults });
      const answer = await rig.fetch(blob(DIGEST, range));
      assert.equal(answer.found, found);
      if (answer.found) {
        const want = range === undefined ? LAYER : LAYER.slice(3 * MIB);
        assert.deepEqual(await bytesOf(answer), want);
      }
      if (range !== undefined) return;
      const cut = Object.entries(standings(rig)).filter(([, standing]) => standing === "shunned");
      assert.deepEqual(cut.map(([id]) => id).sort(), shunned.map((index) => `peer-${index}`));
    });
  }
}

test("whole: a fresh id at a liar's address gets no new chance, for this or anything else", async () => {
  await using rig = new Rig(PATIENT);
  const liar = rig.add(LAYER, ROTTEN);
  assert.equal((await rig.fetch(blob(DIGEST))).found, false);
  const other = noise(2 * MIB, 6);
  liar.add(digestOf(other), other);
  for (const content of [LAYER, other]) {
    rig.router.provide(digestOf(content), { ...liar.peer, id: "fresh" });
    const answer = await rig.fetch(blob(digestOf(content)));
    assert.deepEqual(answer, { found: false, reason: "bad-content", attempts: 0 });
  }
  assert.equal(liar.asked.filter(({ method }) => method === "GET").length, 1);
});

test("whole: who is named at a liar's address is asked at his own", async () => {
  await using rig = new Rig(PATIENT);
  const liar = rig.add(LAYER, ROTTEN);
  const honest = rig.add(LAYER);
  // The same id as that of the honest one, at the liar's address: first there alone.
  const other = noise(2 * MIB, 7);
  liar.add(digestOf(other), other);
  liar.faults.lieAt = 5;
  rig.router.provide(digestOf(other), { ...liar.peer, id: honest.peer.id });
  assert.equal((await rig.fetch(blob(digestOf(other)))).found, false);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
  assert.equal(liar.asked.filter(({ path }) => path.includes(DIGEST)).length, 0);
});

test("whole: a client gets nothing before all of it is there and right, and can leave", async () => {
  await using rig = new Rig({ ...PATIENT, stallWindowMs: 60_000, giveUpMs: 60_000 });
  const peer = rig.add(LAYER, { stallAt: 4 * MIB - 1 });
  const client = new AbortController();
  const answer = rig.fetch(blob(DIGEST), client.signal);
  while (peer.sent < 4 * MIB - 1) await new Promise((resolve) => setTimeout(resolve, 1));
  client.abort(new Error("client left"));
  await assert.rejects(answer, /client left/);
  // A pause between two reads is not cut short.
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(
    rig.mirror.health().every(({ inFlight, standing }) => inFlight === 0 && standing === "good"),
  );
});

test("whole: many who want the same share one answer, parts of it included", async () => {
  await using rig = new Rig(PATIENT);
  const peer = rig.add(LAYER, { headerDelayMs: 50 });
  const ranges = [undefined, undefined, "bytes=0-9", "bytes=4000000-", undefined];
  const answers = await Promise.all(ranges.map((range) => rig.fetch(blob(DIGEST, range))));
  const [first, second, head, tail, last] = await Promise.all(answers.map(bytesOf));
  for (const whole of [first, second, last]) assert.deepEqual(whole, LAYER);
  assert.deepEqual(head, LAYER.slice(0, 10));
  assert.deepEqual(tail, LAYER.slice(4_000_000));
  assert.equal(peer.asked.length, 1);
});

test("whole: parts one after the other, small blobs' as well, are of one answer", async () => {
  await using rig = new Rig(PATIENT);
  const small = noise(300_000, 9);
  for (const content of [LAYER, small]) {
    const peer = rig.add(content);
    for (const [start, end] of [[7, 8], [100_000, 200_000], [content.length - 1, content.length]]) {
      const answer = await rig.fetch(blob(digestOf(content), `bytes=${start}-${Number(end) - 1}`));
      assert.deepEqual(await bytesOf(answer), content.slice(start, end));
    }
    assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(content)))), content);
    const outside = rig.fetch(blob(digestOf(content), `bytes=${content.length}-`));
    await assert.rejects(outside, { status: 416 });
    const whole = peer.asked.filter(({ headers }) => !headers.has("range"));
    assert.deepEqual([peer.asked.length, whole.length], [2, 1]);
    // Another repository is another question to the peer.
    const { reference } = blob(digestOf(content));
    const elsewhere = { ...blob(digestOf(content)), reference: { ...reference, repository: "b" } };
    await bytesOf(await rig.fetch(elsewhere));
    assert.equal(peer.asked.length, 3);
  }
});

test("whole: what is kept for further parts gives way to what is wanted now", async () => {
  await using rig = new Rig({ ...PATIENT, verifyWholeTotalBytes: 5 * MIB });
  const other = noise(3 * MIB, 8);
  const peer = rig.add(LAYER);
  rig.add(other);
  await bytesOf(await rig.fetch(blob(DIGEST, "bytes=0-9")));
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(other)))), other);
  const before = peer.asked.length;
  await bytesOf(await rig.fetch(blob(DIGEST, "bytes=0-9")));
  assert.ok(peer.asked.length > before, "it is not kept any more");
});

test("whole: memory that is taken is waited for, then it is a miss, and given back it is used", async () => {
  const options = { verifyWholeTotalBytes: 5 * MIB, verifyWholeWaitMs: 50 };
  await using rig = new Rig({ ...PATIENT, ...options });
  const other = noise(3 * MIB, 8);
  rig.add(LAYER);
  rig.add(other);
  const first = await rig.fetch(blob(DIGEST));
  const miss = await rig.fetch(blob(digestOf(other)));
  assert.deepEqual(miss, { found: false, reason: "peers-busy", attempts: 1 });
  assert.deepEqual(await bytesOf(first), LAYER);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(other)))), other);
});

test("whole: what comes too slowly is a miss, and the next time passed on as it comes", async () => {
  await using rig = new Rig({ ...PATIENT, verifyWholeMs: 100 });
  rig.add(LAYER, { chunkDelayMs: 5 });
  const miss = await rig.fetch(blob(DIGEST));
  assert.deepEqual(miss, { found: false, reason: "timeout", attempts: 1 });
  assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
});

test("whole: without verification nothing is held back", async () => {
  await using rig = new Rig({ ...PATIENT, verify: false });
  rig.add(LAYER, ROTTEN);
  const wrong = await bytesOf(await rig.fetch(blob(DIGEST)));
  assert.notDeepEqual(wrong, LAYER);
});
