import assert from "node:assert/strict";
import { MIRROR_DEFAULTS } from "../../../lib/mirror/options.ts";
import { type Origin, PenaltyBox } from "../../../lib/mirror/selection/penalty_box.ts";
import { PeerHealth } from "../../../lib/mirror/selection/peer_health.ts";
import type { Peer } from "../../../lib/ports/router.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function setup(clock: FakeClock) {
  const penalties = new PenaltyBox(clock, MIRROR_DEFAULTS);
  return { penalties, health: new PeerHealth({ clock, penalties }, MIRROR_DEFAULTS) };
}

function peer(id: string, addresses = ["10.0.0.1"]): Peer {
  return { id, addresses, registryPort: 5000 };
}

function sender(id: string, address = "10.0.0.1"): Origin {
  return { peer: peer(id, [address]), address };
}

test("one that could not know better is only not believed what it is still getting", () => {
  const { penalties, health } = setup(new FakeClock());
  const relay = sender("a");
  assert.equal(penalties.isBannedRelay(relay), false);
  const paused = Array.from({ length: 4 }, () => penalties.banRelay(relay));
  assert.deepEqual(paused, [10_000, 10_000, MIRROR_DEFAULTS.shunMs, MIRROR_DEFAULTS.shunMs]);
  assert.equal(penalties.isBannedRelay(relay), true);
  assert.equal(health.standing(relay.peer), "good");
});

test("a liar is shunned for as long as the option says, whatever it calls itself", async () => {
  const clock = new FakeClock();
  const { penalties, health } = setup(clock);
  assert.equal(penalties.shun(sender("a")), MIRROR_DEFAULTS.shunMs);
  await clock.advance(MIRROR_DEFAULTS.shunMs);
  for (const id of ["a", "fresh"]) assert.equal(health.standing(peer(id)), "shunned");
  assert.equal(health.standing(peer("a", ["10.0.0.2"])), "good", "the id alone says nothing");
  assert.equal(health.standing({ ...peer("a"), registryPort: 5001 }), "good");
  await clock.advance(1);
  assert.equal(health.standing(peer("a")), "good");
});

test("a liar's address is one, however it is written, and other addresses are asked", () => {
  const { penalties, health } = setup(new FakeClock());
  penalties.shun(sender("a", "fd00::1"));
  penalties.shun(sender("b", "10.0.0.9"));
  for (const address of ["fd00:0:0::0001", "::ffff:10.0.0.9", "::FFFF:10.0.0.9"]) {
    assert.equal(health.standing(peer("c", [address])), "shunned", address);
  }
  const two = peer("c", ["fd00::1", "fd00::2"]);
  assert.equal(health.standing(two), "good");
  assert.deepEqual(penalties.usable(two).addresses, ["fd00::2"]);
});
