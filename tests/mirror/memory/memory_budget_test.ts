import assert from "node:assert/strict";
import { MemoryBudget, type Room } from "../../../lib/mirror/memory/memory_budget.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function rig(totalBytes: number) {
  const clock = new FakeClock();
  const budget = new MemoryBudget(clock, { totalBytes });
  const log: string[] = [];
  const rooms = new Map<string, Room>();
  const leaving = new AbortController();
  /** Asks for memory; what comes of it is in the log. */
  const take = (name: string, bytes: number, flow = "a", waitMs = 5000) => {
    budget.take(bytes, { flow, waitMs, signal: leaving.signal }).then((room) => {
      if (room !== undefined) rooms.set(name, room);
      log.push(room === undefined ? `no ${name}` : name);
    }, (error) => log.push(`${name}: ${error.message}`));
  };
  return { clock, budget, log, rooms, leaving, take };
}

test("memory budget: who fits has it at once, others when some is given back, in order", async () => {
  const { clock, log, rooms, take } = rig(100);
  take("first", 60);
  take("second", 60);
  take("third", 70);
  await clock.advance(1);
  assert.deepEqual(log, ["first"]);
  rooms.get("first")?.give(20);
  await clock.advance(1);
  assert.deepEqual(log, ["first", "second"]);
  rooms.get("second")?.close();
  await clock.advance(1);
  assert.deepEqual(log, ["first", "second"], "40 of the first are not given back");
  rooms.get("second")?.close();
  rooms.get("first")?.close();
  rooms.get("first")?.close();
  await clock.advance(1);
  assert.deepEqual(log, ["first", "second", "third"]);
});

test("memory budget: nobody waits longer than he says, or for what there never is", async () => {
  const { clock, log, take } = rig(100);
  take("first", 100);
  take("second", 1, "a", 300);
  take("huge", 101);
  await clock.advance(299);
  assert.deepEqual(log, ["first", "no huge"]);
  await clock.advance(1);
  assert.deepEqual(log, ["first", "no huge", "no second"]);
});

test("memory budget: who has least gets the next turn", async () => {
  const { clock, log, rooms, take } = rig(100);
  take("greedy 1", 50, "greedy");
  take("greedy 2", 50, "greedy");
  take("greedy 3", 50, "greedy");
  take("modest", 50, "modest");
  await clock.advance(1);
  rooms.get("greedy 1")?.close();
  await clock.advance(1);
  assert.deepEqual(log, ["greedy 1", "greedy 2", "modest"]);
});

test("memory budget: small ones pass a large one for a while, not for ever", async () => {
  const { clock, log, rooms, take } = rig(100);
  take("first", 50);
  take("large", 100);
  take("small 1", 50);
  await clock.advance(1);
  assert.deepEqual(log, ["first", "small 1"]);
  await clock.advance(1000);
  rooms.get("small 1")?.close();
  take("small 2", 50);
  await clock.advance(1);
  assert.deepEqual(log, ["first", "small 1"], "it is the large one's turn");
  rooms.get("first")?.close();
  await clock.advance(1);
  assert.deepEqual(log, ["first", "small 1", "large"]);
});

test("memory budget: one who leaves holds nobody up, and takes nothing along", async () => {
  const { clock, log, rooms, budget, leaving, take } = rig(100);
  take("first", 100);
  take("second", 100);
  await clock.advance(1);
  leaving.abort(new Error("left"));
  rooms.get("first")?.close();
  await clock.advance(1);
  assert.deepEqual(log, ["first", "second: left"]);
  const signal = new AbortController().signal;
  assert.ok(await budget.take(100, { flow: "b", waitMs: 1, signal }));
});
