import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { systemClock } from "../../../lib/async/clock.ts";
import type { MirrorOptions } from "../../../lib/mirror/options.ts";
import { Tainted } from "../../../lib/mirror/transfer/tainted.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { type Faults } from "../fault_peer.ts";
import { blob, bytesOf, noise, PATIENT, Rig } from "../rig.ts";

const MIB = 1024 * 1024;
const LAYER = noise(4 * MIB, 15);
const DIGEST = digestOf(LAYER);
/** A layer above the limit that fits into memory, and one that does not. */
const ABOVE = { ...PATIENT, verifyWholeBytes: MIB };
const FAR_ABOVE = { ...ABOVE, verifyWholeTotalBytes: 2 * MIB };
const ROTTEN: Faults = { lieAt: 1000 };
const HIT_AND_RUN: Faults = { lieAt: 1000, dieAt: MIB };

async function broken(rig: Rig, range?: string): Promise<void> {
  await assert.rejects(bytesOf(await rig.fetch(blob(DIGEST, range))));
}

for (const [name, faults] of Object.entries({ ROTTEN, HIT_AND_RUN })) {
  test(`tainted: after a body broke its rest comes from nobody but upstream: ${name}`, async () => {
    await using rig = new Rig(FAR_ABOVE);
    const liar = rig.add(LAYER, faults);
    await broken(rig);
    const { sent } = liar;
    assert.equal((await rig.fetch(blob(DIGEST, `bytes=${MIB}-`))).found, false);
    // The client's next attempt.
    assert.equal((await rig.fetch(blob(DIGEST))).found, false);
    assert.ok(liar.sent - sent < LAYER.length, `${liar.sent - sent} bytes`);
  });

  test(`tainted: the client's retry gets it verified from an honest holder: ${name}`, async () => {
    await using rig = new Rig(ABOVE);
    rig.add(LAYER, faults);
    rig.add(LAYER);
    await broken(rig).catch(() => {});
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
    }
    const standing = new Map(rig.mirror.health().map((each) => [each.id, each.standing]));
    assert.equal(standing.get("peer-1"), "good");
  });
}

test("tainted: who sent the wrong bytes of several is known once the right ones are", async () => {
  // So that nobody is asked alone before the honest one.
  for (const [faults, liar] of [[HIT_AND_RUN, 0], [{ dieAt: MIB }, 1]] as const) {
    await using rig = new Rig(ABOVE);
    const first = rig.add(LAYER, faults);
    const second = rig.add(LAYER, liar === 1 ? { lieAt: 3 * MIB } : {});
    await broken(rig);
    assert.ok(rig.mirror.health().every(({ standing }) => standing === "good"));
    for (const peer of [first, second]) peer.faults = { status: 404 };
    rig.add(LAYER);
    assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
    const shunned = rig.mirror.health().filter(({ standing }) => standing === "shunned");
    assert.deepEqual(shunned.map(({ id }) => id), [`peer-${liar}`]);
  }
});

/** What one may say of itself of which nothing good is known. */
const SUSPECTS: Record<string, number> = {
  "runs away": 4 * MIB,
  "says that a layer is larger, so that it is not verified first": 9 * MIB,
};

for (const [name, bytes] of Object.entries(SUSPECTS)) {
  test(`tainted: one attempt, and nothing more is passed on from one who ${name}`, async () => {
    await using rig = new Rig({ ...PATIENT, verifyWholeBytes: bytes - 1 });
    const faults = { ...HIT_AND_RUN, headers: { "docker-content-digest": "" } };
    const liar = rig.add(noise(bytes, 99), faults, DIGEST);
    liar.add(DIGEST, noise(bytes, 99));
    await broken(rig);
    assert.equal((await rig.fetch(blob(DIGEST))).found, false);
    for (const [seed, isAlone] of [[21, false], [22, true]] as const) {
      const layer = noise(4 * MIB, seed);
      const digest = digestOf(layer);
      liar.add(digest, noise(bytes, seed));
      rig.router.provide(digest, liar.peer);
      if (!isAlone) rig.add(layer);
      const answer = await rig.fetch(blob(digest));
      assert.equal(answer.found, !isAlone);
      if (answer.found) assert.deepEqual(await bytesOf(answer), layer);
    }
  });
}

test("tainted: a suspect's layer that cannot be held is upstream's first, then his", async () => {
  const clock = new FakeClock();
  await using rig = new Rig(FAR_ABOVE, {
    clock: { now: () => clock.now(), sleep: systemClock.sleep },
  });
  const suspect = rig.add(LAYER, HIT_AND_RUN);
  await broken(rig);
  const other = noise(4 * MIB, 23);
  suspect.faults = {};
  suspect.add(digestOf(other), other);
  rig.router.provide(digestOf(other), suspect.peer);
  assert.equal((await rig.fetch(blob(digestOf(other)))).found, false);
  await clock.advance(10_000);
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(other)))), other);
});

test("tainted: one that cannot be held is upstream's once, then peers' again", () => {
  const clock = new FakeClock();
  const tainted = new Tainted(clock);
  assert.equal(tainted.isUpstreamsTurn(DIGEST, false), false);
  tainted.add(DIGEST);
  for (const isPart of [true, false]) {
    assert.equal(tainted.has(DIGEST, isPart ? 0 : undefined), true);
    assert.equal(tainted.isUpstreamsTurn(DIGEST, isPart), true);
    assert.equal(tainted.isUpstreamsTurn(DIGEST, isPart), true, "in the same attempt");
  }
});

test("tainted: an attempt later it is peers' turn again, and after a while nothing is known", async () => {
  const clock = new FakeClock();
  const tainted = new Tainted(clock);
  tainted.add(DIGEST);
  assert.equal(tainted.isUpstreamsTurn(DIGEST, true), true);
  await clock.advance(10_000);
  assert.equal(tainted.isUpstreamsTurn(DIGEST, true), false);
  assert.equal(tainted.isUpstreamsTurn(DIGEST, false), true, "of all of it it had no turn yet");
  await clock.advance(10 * 60_000);
  assert.equal(tainted.has(DIGEST, undefined), false);
});

test("tainted: after a part that nobody could verify the whole is verified first", async () => {
  await using rig = new Rig(ABOVE);
  const liar = rig.add(LAYER, { lieAt: 3 * MIB });
  assert.ok((await rig.fetch(blob(DIGEST, `bytes=${2 * MIB}-`))).found);
  assert.ok((await rig.fetch(blob(DIGEST, "bytes=0-99"))).found, "further parts as before");
  const whole = await rig.fetch(blob(DIGEST));
  assert.deepEqual([whole.found, !whole.found && whole.reason], [false, "bad-content"]);
  assert.equal(rig.mirror.health()[0]?.standing, "shunned");
  liar.faults = {};
});

/** Who else holds what a liar holds: the blob fits into memory, or not. */
const IN_PARTS: Record<string, { size: Partial<MirrorOptions>; peers: Faults[]; right: boolean }> =
  {
    "nobody": { size: ABOVE, peers: [ROTTEN], right: false },
    "an honest peer": { size: ABOVE, peers: [ROTTEN, {}], right: true },
    "an honest peer, it does not fit": { size: FAR_ABOVE, peers: [ROTTEN, {}], right: false },
  };

for (const [name, { size, peers, right }] of Object.entries(IN_PARTS)) {
  test(`tainted: a client that gets all blobs in parts is not misled twice: ${name}`, async () => {
    const clock = new FakeClock();
    await using rig = new Rig(size, {
      clock: { now: () => clock.now(), sleep: systemClock.sleep },
    });
    for (const faults of peers) rig.add(LAYER, faults);
    const parts = [0, 1, 2, 3].map((index) => `bytes=${index * MIB}-${(index + 1) * MIB - 1}`);
    const fetched = () => Promise.all(parts.map((range) => rig.fetch(blob(DIGEST, range))));
    const first = Buffer.concat(await Promise.all((await fetched()).map(bytesOf)));
    assert.ok(!first.equals(LAYER), "the first attempt is the liar's");
    await clock.advance(10_000);
    const second = await fetched();
    if (!right) return assert.ok(second.every(({ found }) => !found), "then it is upstream's");
    assert.ok(Buffer.concat(await Promise.all(second.map(bytesOf))).equals(LAYER));
    assert.equal(rig.mirror.health().find(({ id }) => id === "peer-0")?.standing, "shunned");
  });
}

test("tainted: parts of one attempt are one attempt, in whatever order they are asked for", async () => {
  const clock = new FakeClock();
  const tainted = new Tainted(clock);
  for (const start of [2 * MIB, 0, MIB]) {
    tainted.addPart(DIGEST, start);
    assert.equal(tainted.has(DIGEST, start), false);
    await clock.advance(2000);
  }
  assert.equal(tainted.has(DIGEST, 3 * MIB), false, "the next part, or what is left of one");
  assert.equal(tainted.has(DIGEST, 0), true, "from the beginning again");
  assert.equal(tainted.has(DIGEST, MIB), true, "and then all of it");
});

/** Bodies of strangers who are gone before their end, one after the other, and of an honest peer. */
const RUNNERS: Record<string, Faults[]> = {
  one: [HIT_AND_RUN, {}],
  two: [HIT_AND_RUN, { lieAt: 2 * MIB + 5, dieAt: 3 * MIB }, {}],
  "one who stands still": [{ lieAt: 1000, stallAt: MIB }, {}],
};

for (const [name, peers] of Object.entries(RUNNERS)) {
  test(`tainted: what cannot be held comes from an honest peer once upstream had its turn, in spite of ${name}`, async () => {
    const clock = new FakeClock();
    await using rig = new Rig({ ...FAR_ABOVE, stallWindowMs: 100 }, {
      clock: { now: () => clock.now() + performance.now(), sleep: systemClock.sleep },
    });
    for (const faults of peers) rig.add(LAYER, faults);
    await broken(rig);
    await clock.advance(10_000);
    assert.equal((await rig.fetch(blob(DIGEST))).found, false);
    await clock.advance(10_000);
    assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
  });
}

test("tainted: no more contents are remembered than allowed, the latest are", () => {
  const tainted = new Tainted(new FakeClock());
  const digests = Array.from({ length: 1001 }, (_, index) => digestOf(noise(8, index + 1)));
  for (const digest of digests) tainted.add(digest);
  assert.equal(tainted.has(digests[0] ?? DIGEST, undefined), false);
  assert.equal(tainted.has(digests[1000] ?? DIGEST, undefined), true);
});
