import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import type { MirrorHit, MirrorMiss } from "../../lib/ports/mirror.ts";
import { test } from "../support/test.ts";
import { blob, bytesOf, manifest, noise, PATIENT, Rig, STREAMED } from "./rig.ts";

const LARGE = noise(3 * 1024 * 1024);
const OTHER = noise(3 * 1024 * 1024, 7);
const SMALL = noise(5000);
/** Long enough for a peer on this machine to answer, short enough for a test to wait for. */
const BUSY = { ...PATIENT, busyWaitMs: 100 };
/** Nothing is given up while a test has a transfer stand still. */
const STILL = { stallWindowMs: 60_000, slowWindowMs: 60_000, giveUpMs: 60_000 };

function hit(answer: MirrorHit | MirrorMiss): MirrorHit {
  assert.ok(answer.found, JSON.stringify(answer));
  return answer;
}

test("busy: a blob that is under way is asked for again at its only holder, after a moment", async () => {
  for (const range of [undefined, "bytes=1000-2900000"]) {
    await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL });
    const peer = rig.add(LARGE, { stallAt: 1_000_000 });
    const request = blob(digestOf(LARGE), range);
    const first = hit(await rig.fetch(request));
    peer.faults = {};
    const others = await Promise.all([1, 2, 3, 4, 5].map(() => rig.fetch(request)));
    const want = range === undefined ? LARGE : LARGE.slice(1000, 2_900_001);
    for (const other of others) assert.deepEqual(await bytesOf(hit(other)), want);
    assert.equal(peer.asked.length, 6);
    await first.body?.cancel();
  }
});

test("busy: no more than a few of the same are asked of one holder at once", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL, maxCopies: 2 });
  const peer = rig.add(LARGE, { stallAt: 1_000_000 });
  const answers = await Promise.all([1, 2, 3, 4].map(() => rig.fetch(blob(digestOf(LARGE)))));
  const [first, second, ...more] = answers.filter(({ found }) => found).map(hit);
  assert.equal(more.length, 0);
  const misses = answers.filter(({ found }) => !found);
  const miss = { found: false, reason: "peers-busy", attempts: 0 };
  assert.deepEqual(misses, [miss, miss]);
  assert.equal(peer.asked.length, 2);
  await first?.body?.cancel();
  // Once one is over the peer may be asked again.
  peer.faults = {};
  assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(LARGE)))), LARGE);
  await second?.body?.cancel();
});

test("busy: the same blob is asked for at another peer", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL });
  const peers = [rig.add(LARGE, { stallAt: 1_000_000 }), rig.add(LARGE, { stallAt: 1_000_000 })];
  const answers = [
    hit(await rig.fetch(blob(digestOf(LARGE)))),
    hit(await rig.fetch(blob(digestOf(LARGE)))),
  ];
  assert.deepEqual(peers.map(({ requests }) => requests.length), [1, 1]);
  for (const { body } of answers) await body?.cancel();
});

test("busy: requests at the same moment do not slip past each other", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL, maxCopies: 1 });
  const peer = rig.add(LARGE, { stallAt: 1_000_000 });
  const answers = await Promise.all([1, 2, 3, 4].map(() => rig.fetch(blob(digestOf(LARGE)))));
  assert.equal(answers.filter(({ found }) => found).length, 1);
  assert.equal(peer.requests.length, 1);
  for (const answer of answers) if (answer.found) await answer.body?.cancel();
});

test("busy: a request waits for one that ends in time", async () => {
  // Small ones are shared instead.
  await using rig = new Rig({ ...STREAMED, ...BUSY, busyWaitMs: 5000, smallBlobBytes: 0 });
  const peer = rig.add(SMALL, { headerDelayMs: 50 });
  const bodies = await Promise.all(
    [1, 2].map(async () => await bytesOf(hit(await rig.fetch(blob(digestOf(SMALL)))))),
  );
  for (const body of bodies) assert.deepEqual(body, SMALL);
  assert.equal(peer.requests.length, 2);
});

test("busy: different parts of one blob come from the same peer at once", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL });
  const peer = rig.add(LARGE);
  const digest = digestOf(LARGE);
  const answers = await Promise.all(
    ["bytes=0-999", "bytes=1000-1999"].map((range) => rig.fetch(blob(digest, range))),
  );
  assert.deepEqual(await bytesOf(hit(answers[0] as MirrorHit)), LARGE.slice(0, 1000));
  assert.deepEqual(await bytesOf(hit(answers[1] as MirrorHit)), LARGE.slice(1000, 2000));
  assert.equal(peer.requests.length, 2);
});

test("busy: a peer with enough to do is passed over, whatever is asked for", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, ...STILL, maxPerPeer: 1 });
  const popular = rig.add(LARGE, { stallAt: 1_000_000 });
  rig.router.provide(digestOf(OTHER), popular.peer);
  popular.add(digestOf(OTHER), OTHER);
  const first = hit(await rig.fetch(blob(digestOf(LARGE))));
  assert.deepEqual(await rig.fetch(blob(digestOf(OTHER))), {
    found: false,
    reason: "peers-busy",
    attempts: 0,
  });
  const idle = rig.add(OTHER);
  const second = hit(await rig.fetch(blob(digestOf(OTHER))));
  assert.equal(second.peer, idle.peer.id);
  await second.body?.cancel();
  await first.body?.cancel();
});

test("busy: a peer that says so is no failure, and asked again a moment later", async () => {
  for (const status of [429, 503]) {
    await using rig = new Rig({ ...BUSY, busyWaitMs: 5000 });
    const busy = rig.add(SMALL, { status });
    const other = rig.add(SMALL);
    const answer = hit(await rig.fetch(blob(digestOf(SMALL))));
    assert.equal(answer.peer, other.peer.id);
    await answer.body?.cancel();
    const [health] = rig.mirror.health().filter(({ id }) => id === busy.peer.id);
    assert.equal(health?.standing, "good");
    assert.equal(health?.failures, 0);

    await using lonely = new Rig({ ...BUSY, busyWaitMs: 5000 });
    const only = lonely.add(SMALL, { status });
    const waiting = lonely.fetch(blob(digestOf(SMALL)));
    while (only.requests.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    only.faults = {};
    assert.deepEqual(await bytesOf(hit(await waiting)), SMALL);
  }
});

test("busy: when all peers say so for too long, it is a miss", async () => {
  await using rig = new Rig(BUSY);
  rig.add(SMALL, { status: 503 });
  const answer = await rig.fetch(blob(digestOf(SMALL)));
  assert.ok(!answer.found);
  assert.equal(answer.reason, "peers-busy");
});

test("busy: a transfer that has to go on may use a peer that sends the same", async () => {
  await using rig = new Rig({ ...STREAMED, ...BUSY, slowWindowMs: 60_000, giveUpMs: 60_000 });
  const dying = rig.add(LARGE, { dieAt: 1_000_000 });
  const first = hit(await rig.fetch(blob(digestOf(LARGE))));
  assert.equal(first.peer, dying.peer.id);
  const steady = rig.add(LARGE);
  const second = hit(await rig.fetch(blob(digestOf(LARGE))));
  assert.equal(second.peer, steady.peer.id);
  // The second is not read yet: the first goes on at the peer that is sending it.
  assert.deepEqual(await bytesOf(first), LARGE);
  assert.deepEqual(await bytesOf(second), LARGE);
});

test("a peer that failed for one key is not asked for any other", async () => {
  await using rig = new Rig({ responseTimeoutMs: 150, headerBudgetMs: 200, hedgeMinMs: 20 });
  const dead = rig.add(LARGE, { silent: true });
  rig.router.provide(digestOf(SMALL), dead.peer);
  assert.ok(!(await rig.fetch(blob(digestOf(LARGE)))).found);
  const asked = dead.requests.filter(({ path }) => path !== "/v2/").length;
  assert.ok(!(await rig.fetch(blob(digestOf(SMALL)))).found);
  assert.equal(dead.requests.filter(({ path }) => path !== "/v2/").length, asked);
});

test("busy: a manifest is asked for at the next peer, not again and again at the one", async () => {
  await using rig = new Rig(BUSY);
  const peer = rig.add(SMALL, { status: 503 });
  const answer = await rig.fetch(manifest("GET", digestOf(SMALL)));
  assert.ok(!answer.found);
  assert.equal(peer.requests.length, 1);
});

test("a small blob that many want at once is asked for once", async () => {
  await using rig = new Rig({ ...PATIENT, busyWaitMs: 10 });
  const content = noise(20_000, 77);
  const peer = rig.add(content, { headerDelayMs: 50 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => rig.fetch(blob(digestOf(content)))),
  );
  for (const answer of answers) assert.deepEqual(await bytesOf(answer), content);
  assert.equal(peer.asked.length, 1);
});

test("who shares a small blob does not depend on whoever asked first", async () => {
  await using rig = new Rig(PATIENT);
  const content = noise(20_000, 78);
  rig.add(content, { headerDelayMs: 100 });
  const gone = new AbortController();
  const first = rig.fetch(blob(digestOf(content)), gone.signal);
  const second = rig.fetch(blob(digestOf(content)));
  const left = new AbortController();
  const third = rig.fetch(blob(digestOf(content)), left.signal);
  setTimeout(() => left.abort(new Error("third left")), 10);
  setTimeout(() => gone.abort(new Error("first left")), 20);
  await assert.rejects(third, /third left/);
  await assert.rejects(first, /first left/);
  assert.deepEqual(await bytesOf(await second), content);
});

test("who waits for a small blob shares it with the others when whoever asked first goes away", async () => {
  await using rig = new Rig(PATIENT);
  const content = noise(20_000, 79);
  const peer = rig.add(content, { headerDelayMs: 50 });
  const gone = new AbortController();
  const first = rig.fetch(blob(digestOf(content)), gone.signal);
  const others = Array.from({ length: 5 }, () => rig.fetch(blob(digestOf(content))));
  while (peer.asked.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  gone.abort(new Error("first left"));
  await assert.rejects(first, /first left/);
  for (const other of others) assert.deepEqual(await bytesOf(await other), content);
  assert.equal(peer.asked.length, 2);
});
