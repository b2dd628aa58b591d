import assert from "node:assert/strict";
import { Circuit } from "../../lib/upstream/circuit.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

test("opens after failures in a row, for longer each time, and is probed by one", async () => {
  const clock = new FakeClock();
  await clock.advance(1);
  const circuit = new Circuit(clock, { threshold: 2, baseMs: 1000, maxMs: 3000 });
  assert.equal(circuit.enter("r"), "closed");
  circuit.failed("r", "unreachable");
  assert.equal(circuit.enter("r"), "closed", "one failure is no outage");
  circuit.failed("r", "unreachable");
  for (const [index, pause] of [1000, 2000, 3000, 3000].entries()) {
    assert.equal(circuit.enter("r"), "open", `round ${index}`);
    await clock.advance(pause - 1);
    assert.equal(circuit.enter("r"), "open", `round ${index}`);
    await clock.advance(1);
    assert.equal(circuit.enter("r"), "probe", `round ${index}`);
    assert.equal(circuit.enter("r"), "open", "only one probes");
    circuit.failed("r", "unreachable");
  }
  assert.equal(circuit.enter("other"), "closed", "each registry has its own");
  await clock.advance(3000);
  assert.equal(circuit.enter("r"), "probe");
  circuit.succeeded("r");
  assert.equal(circuit.enter("r"), "closed");
});

test("a success in between starts the count anew", () => {
  const circuit = new Circuit(new FakeClock());
  for (let round = 0; round < 5; round++) {
    circuit.failed("r", "unreachable");
    circuit.succeeded("r");
  }
  assert.equal(circuit.enter("r"), "closed");
});

test("429 is obeyed", async () => {
  const clock = new FakeClock();
  const circuit = new Circuit(clock);
  circuit.limited("r", 30_000);
  await clock.advance(29_999);
  assert.equal(circuit.enter("r"), "open");
  await clock.advance(1);
  assert.equal(circuit.enter("r"), "probe");
  circuit.abandoned("r");
  assert.equal(circuit.enter("r"), "probe", "a probe that nobody finished is made again");
});
