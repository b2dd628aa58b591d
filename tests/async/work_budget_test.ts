import assert from "node:assert/strict";
import { WorkBudget } from "../../lib/async/work_budget.ts";
import { test } from "../support/test.ts";

/** A budget whose time is moved by the work and by what others do between two slices. */
function makeBudget(othersMs = 0) {
  let now = 0;
  const counts = { turns: 0, slept: [] as number[] };
  const budget = new WorkBudget({
    clock: {
      now: () => now,
      sleep(ms) {
        counts.slept.push(ms);
        now += ms;
        return Promise.resolve();
      },
    },
    turn() {
      counts.turns++;
      now += othersMs;
      return Promise.resolve();
    },
  });
  return { budget, counts, work: (ms: number) => now += ms };
}

test("work goes on without a pause until its slice is over", async () => {
  const { budget, counts, work } = makeBudget();
  await budget.breathe();
  for (let i = 0; i < 3; i++) {
    work(0.5);
    await budget.breathe();
  }
  assert.equal(counts.turns, 1);
  work(0.5);
  await budget.breathe();
  assert.equal(counts.turns, 2);
  assert.deepEqual(counts.slept, []);
});

test("those who wait together share slices, and do not go on all at once", async () => {
  const { budget, counts, work } = makeBudget();
  await Promise.all(Array.from({ length: 16 }, () => budget.run(() => work(1))));
  assert.equal(counts.turns, 8, "two of one millisecond fit into a slice of two");
});

test("work that fails rejects, and the next is done all the same", async () => {
  const { budget } = makeBudget();
  const failed = budget.run(() => {
    throw new Error("broken");
  });
  const done = budget.run(() => 7);
  await assert.rejects(failed, /broken/);
  assert.equal(await done, 7);
});

test("when others are busy the work steps back for as long, and not for ever", async () => {
  const busy = makeBudget(50);
  await busy.budget.breathe();
  assert.deepEqual(busy.counts.slept, [50]);
  const stuck = makeBudget(5000);
  await stuck.budget.breathe();
  assert.deepEqual(stuck.counts.slept, [100]);
});
