import assert from "node:assert/strict";
import { Expectations } from "../../../lib/router/rollout/expectations.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function setup() {
  const clock = new FakeClock();
  return { clock, expectations: new Expectations(clock) };
}

test("expectations: last until an answer is due, and a moment longer", async () => {
  const { clock, expectations } = setup();
  assert.equal(expectations.has("k"), false);
  expectations.asked("k", 1000);
  await clock.advance(1200);
  assert.equal(expectations.has("k"), true);
  assert.equal(expectations.has("other"), false);
  await clock.advance(1);
  assert.equal(expectations.has("k"), false);
});

test("expectations: after an assignment, last longer with the depth of the parent", async () => {
  const { clock, expectations } = setup();
  expectations.asked("upstream", 1000);
  expectations.coming("upstream", 0);
  expectations.coming("fourth", 4);
  await clock.advance(201);
  assert.equal(expectations.has("upstream"), false);
  assert.equal(expectations.has("fourth"), true);
  await clock.advance(200);
  assert.equal(expectations.has("fourth"), false);
});

test("expectations: failed following is remembered for two seconds", async () => {
  const { clock, expectations } = setup();
  assert.equal(expectations.hasGivenUp("k"), false);
  expectations.gaveUp("k");
  await clock.advance(2000);
  assert.equal(expectations.hasGivenUp("k"), true);
  await clock.advance(1);
  assert.equal(expectations.hasGivenUp("k"), false);
});
