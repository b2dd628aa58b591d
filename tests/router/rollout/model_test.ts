import assert from "node:assert/strict";
import { test } from "../../support/test.ts";
import { RolloutModel, WAIT_BOUND_MS } from "./rollout_model.ts";

const SEEDS = 10_000;

test("model: every pull ends, none waits past its bound, and upstream is asked once and once a fault", () => {
  const seen = { calm: 0, faults: 0, fetches: 0 };
  for (let seed = 0; seed < SEEDS; seed++) {
    const { hanging, longestWaitMs, fetches, faults } = new RolloutModel(seed).run();
    assert.equal(hanging, 0, `seed ${seed}: ${hanging} pulls never end`);
    assert.ok(longestWaitMs <= WAIT_BOUND_MS, `seed ${seed}: waited ${longestWaitMs} ms`);
    assert.ok(fetches <= 1 + faults, `seed ${seed}: ${fetches} fetches for ${faults} faults`);
    if (faults === 0) seen.calm++;
    seen.faults += faults;
    seen.fetches += fetches;
  }
  // Otherwise the model has lost its faults, or everybody goes upstream whatever happens.
  assert.ok(seen.calm > SEEDS / 10 && seen.faults > SEEDS, JSON.stringify(seen));
  assert.ok(seen.fetches < SEEDS + seen.faults, JSON.stringify(seen));
});
