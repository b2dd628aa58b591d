import assert from "node:assert/strict";
import { MIRROR_DEFAULTS } from "../../../lib/mirror/options.ts";
import { PeerHealth } from "../../../lib/mirror/selection/peer_health.ts";
import { PenaltyBox } from "../../../lib/mirror/selection/penalty_box.ts";
import type { Peer } from "../../../lib/ports/router.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function healthOn(clock: FakeClock, maxTrackedPeers = 100): PeerHealth {
  const options = { ...MIRROR_DEFAULTS, maxTrackedPeers };
  return new PeerHealth({ clock, penalties: new PenaltyBox(clock, options) }, options);
}

function peer(id: string, addresses = ["10.0.0.1"]): Peer {
  return { id, addresses, registryPort: 5000 };
}

test("load, delay, slowness and failures each make a peer a worse choice", () => {
  const clock = new FakeClock();
  const health = healthOn(clock);
  for (const id of ["good", "loaded", "late", "slow", "failing"]) {
    health.answered(id, 1);
    health.progressed(id, 100e6, 100);
  }
  health.begin("loaded");
  health.answered("late", 100);
  for (let count = 0; count < 10; count++) health.progressed("slow", 1e6, 1000);
  health.broke("failing");
  for (const id of ["loaded", "late", "slow", "failing"]) {
    assert(health.cost(id) > health.cost("good"), id);
  }
});

test("a request that ends twice counts once", () => {
  const health = healthOn(new FakeClock());
  const end = health.begin("a");
  health.begin("a");
  end();
  end();
  assert.equal(health.snapshot()[0]?.inFlight, 1);
});

test("a peer without an answer is down until a probe succeeds, probes ever rarer", async () => {
  const clock = new FakeClock();
  const health = healthOn(clock);
  health.failed("a", 400);
  assert.equal(health.standing(peer("a")), "down");
  const pauses: number[] = [];
  for (let count = 0; count < 7; count++) {
    assert(health.probeDue("a"));
    health.probed("a", false);
    const from = clock.now();
    while (!health.probeDue("a")) await clock.advance(250);
    pauses.push(clock.now() - from);
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  health.probed("a", true);
  assert.equal(health.standing(peer("a")), "good");
  assert.equal(health.snapshot()[0]?.failures, 1);
});

test("a peer whose bodies stand still is left alone for longer each time, until one gets on", async () => {
  const clock = new FakeClock();
  const health = healthOn(clock);
  await clock.advance(1000);
  const pause = async () => {
    health.stalled("a", 400);
    assert.equal(health.standing(peer("a")), "down");
    const from = clock.now();
    while (!health.probeDue("a")) await clock.advance(1000);
    health.probed("a", true);
    assert.equal(health.standing(peer("a")), "good");
    return clock.now() - from;
  };
  assert.deepEqual([await pause(), await pause(), await pause()], [5000, 10_000, 20_000]);
  health.progressed("a", 1, 1000);
  assert.equal(await pause(), 40_000);
  health.progressed("a", 100_000, 10);
  health.stalled("a", 400);
  assert.equal(health.standing(peer("a")), "good", "another body of its gets on");
  await clock.advance(1000);
  assert.equal(await pause(), 5000);
});

test("a peer that sends bytes is busy, not down", async () => {
  const clock = new FakeClock();
  const health = healthOn(clock);
  await clock.advance(5000);
  health.progressed("a", 1000, 10);
  health.failed("a", 400);
  assert.equal(health.standing(peer("a")), "good");
  await clock.advance(1500);
  health.failed("a", 400);
  assert.equal(health.standing(peer("a")), "down");
});

test("the hedge waits for what is usual, within limits", () => {
  const health = healthOn(new FakeClock());
  assert.equal(health.hedgeMs("unknown"), MIRROR_DEFAULTS.hedgeMinMs);
  for (let count = 0; count < 30; count++) health.answered("far", 90);
  const usual = health.hedgeMs("far");
  assert(usual > 80 && usual < 150, `hedge ${usual}`);
  for (let count = 0; count < 30; count++) health.answered("far", 5000);
  assert.equal(health.hedgeMs("far"), MIRROR_DEFAULTS.responseTimeoutMs / 2);
});

test("an old delay is forgotten", async () => {
  const clock = new FakeClock();
  const health = healthOn(clock);
  health.answered("a", 400);
  const before = health.cost("a");
  await clock.advance(300_000);
  assert(health.cost("a") < before / 5);
});

test("no more peers are remembered than allowed", () => {
  const health = healthOn(new FakeClock(), 10);
  for (let id = 0; id < 100; id++) health.answered(`peer-${id}`, 1);
  assert.equal(health.snapshot().length, 10);
});
