import assert from "node:assert/strict";
import { MIRROR_DEFAULTS } from "../../../lib/mirror/options.ts";
import { PeerHealth } from "../../../lib/mirror/selection/peer_health.ts";
import type { Sender } from "../../../lib/mirror/http/sender.ts";
import type { Peer } from "../../../lib/ports/router.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function tableOn(clock: FakeClock, maxTrackedPeers = 100): PeerHealth {
  return new PeerHealth(clock, { ...MIRROR_DEFAULTS, maxTrackedPeers });
}

function peer(id: string, addresses = ["10.0.0.1"]): Peer {
  return { id, addresses, registryPort: 5000 };
}

function sender(id: string, address = "10.0.0.1"): Sender {
  const known = { arriving: false, isProven: false, isPrivate: false };
  return { peer: peer(id, [address]), address, ...known };
}

test("load, delay, slowness and failures each make a peer a worse choice", () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  for (const id of ["good", "loaded", "late", "slow", "failing"]) {
    table.answered(id, 1);
    table.progressed(id, 100e6, 100);
  }
  table.begin("loaded");
  table.answered("late", 100);
  for (let count = 0; count < 10; count++) table.progressed("slow", 1e6, 1000);
  table.broke("failing");
  for (const id of ["loaded", "late", "slow", "failing"]) {
    assert(table.cost(id) > table.cost("good"), id);
  }
});

test("a request that ends twice counts once", () => {
  const table = tableOn(new FakeClock());
  const end = table.begin("a");
  table.begin("a");
  end();
  end();
  assert.equal(table.snapshot()[0]?.inFlight, 1);
});

test("a peer without an answer is down until a probe succeeds, probes ever rarer", async () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  table.failed("a", 400);
  assert.equal(table.standing(peer("a")), "down");
  const pauses: number[] = [];
  for (let count = 0; count < 7; count++) {
    assert(table.probeDue("a"));
    table.probed("a", false);
    const from = clock.now();
    while (!table.probeDue("a")) await clock.advance(250);
    pauses.push(clock.now() - from);
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  table.probed("a", true);
  assert.equal(table.standing(peer("a")), "good");
  assert.equal(table.snapshot()[0]?.failures, 1);
});

test("a peer whose bodies stand still is left alone for longer each time, until one gets on", async () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  await clock.advance(1000);
  const pause = async () => {
    table.stalled("a", 400);
    assert.equal(table.standing(peer("a")), "down");
    const from = clock.now();
    while (!table.probeDue("a")) await clock.advance(1000);
    table.probed("a", true);
    assert.equal(table.standing(peer("a")), "good");
    return clock.now() - from;
  };
  assert.deepEqual([await pause(), await pause(), await pause()], [5000, 10_000, 20_000]);
  table.progressed("a", 1, 1000);
  assert.equal(await pause(), 40_000);
  table.progressed("a", 100_000, 10);
  table.stalled("a", 400);
  assert.equal(table.standing(peer("a")), "good", "another body of its gets on");
  await clock.advance(1000);
  assert.equal(await pause(), 5000);
});

test("a peer that sends bytes is busy, not down", async () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  await clock.advance(5000);
  table.progressed("a", 1000, 10);
  table.failed("a", 400);
  assert.equal(table.standing(peer("a")), "good");
  await clock.advance(1500);
  table.failed("a", 400);
  assert.equal(table.standing(peer("a")), "down");
});

test("one that could not know better is only not believed what it is still getting", () => {
  const table = tableOn(new FakeClock());
  const relay = sender("a");
  assert.equal(table.misleads(relay), false);
  const paused = Array.from({ length: 4 }, () => table.misled(relay));
  assert.deepEqual(paused, [10_000, 10_000, MIRROR_DEFAULTS.shunMs, MIRROR_DEFAULTS.shunMs]);
  assert.equal(table.misleads(relay), true);
  assert.equal(table.standing(relay.peer), "good");
});

test("a liar is shunned for as long as the option says, whatever it calls itself", async () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  assert.equal(table.lied(sender("a")), MIRROR_DEFAULTS.shunMs);
  await clock.advance(MIRROR_DEFAULTS.shunMs - 1);
  for (const id of ["a", "fresh"]) assert.equal(table.standing(peer(id)), "shunned");
  assert.equal(table.standing(peer("a", ["10.0.0.2"])), "good", "the id alone says nothing");
  assert.equal(table.standing({ ...peer("a"), registryPort: 5001 }), "good");
  await clock.advance(1);
  assert.equal(table.standing(peer("a")), "good");
});

test("a liar's address is one, however it is written, and other addresses are asked", () => {
  const table = tableOn(new FakeClock());
  table.lied(sender("a", "fd00::1"));
  table.lied(sender("b", "10.0.0.9"));
  for (const address of ["fd00:0:0::0001", "::ffff:10.0.0.9", "::FFFF:10.0.0.9"]) {
    assert.equal(table.standing(peer("c", [address])), "shunned", address);
  }
  const two = peer("c", ["fd00::1", "fd00::2"]);
  assert.equal(table.standing(two), "good");
  assert.deepEqual(table.usable(two).addresses, ["fd00::2"]);
});

test("the hedge waits for what is usual, within limits", () => {
  const table = tableOn(new FakeClock());
  assert.equal(table.hedgeMs("unknown"), MIRROR_DEFAULTS.hedgeMinMs);
  for (let count = 0; count < 30; count++) table.answered("far", 90);
  const usual = table.hedgeMs("far");
  assert(usual > 80 && usual < 150, `hedge ${usual}`);
  for (let count = 0; count < 30; count++) table.answered("far", 5000);
  assert.equal(table.hedgeMs("far"), MIRROR_DEFAULTS.responseTimeoutMs / 2);
});

test("an old delay is forgotten", async () => {
  const clock = new FakeClock();
  const table = tableOn(clock);
  table.answered("a", 400);
  const before = table.cost("a");
  await clock.advance(300_000);
  assert(table.cost("a") < before / 5);
});

test("no more peers are remembered than allowed", () => {
  const table = tableOn(new FakeClock(), 10);
  for (let id = 0; id < 100; id++) table.answered(`peer-${id}`, 1);
  assert.equal(table.snapshot().length, 10);
});
