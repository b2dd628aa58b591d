import assert from "node:assert/strict";
import { race, type RaceResult } from "../../../lib/mirror/http/race.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

/** A contender: answers after so long; negative: fails after so long. */
type Plan = readonly number[];

interface Course {
  readonly result: RaceResult<number>;
  readonly asked: { who: number; at: number }[];
  readonly aborted: number[];
}

/** Runs a race of contenders on a fake clock. */
async function run(plan: Plan, limits: { budgetMs?: number; maxLosses?: number } = {}) {
  const clock = new FakeClock();
  const course: Omit<Course, "result"> = { asked: [], aborted: [] };
  let drawn = 0;
  const racing = race<number, number>(
    {
      next: () => Promise.resolve(drawn < plan.length ? drawn++ : undefined),
      async ask(who, signal) {
        course.asked.push({ who, at: clock.now() });
        signal.addEventListener("abort", () => course.aborted.push(who));
        const delay = plan[who] ?? 0;
        await clock.sleep(Math.abs(delay), { signal });
        return delay < 0 ? undefined : who;
      },
      hedgeMs: () => 50,
      discard: () => {},
    },
    clock,
    {
      signal: new AbortController().signal,
      budgetMs: limits.budgetMs ?? 450,
      maxLosses: limits.maxLosses ?? 3,
      maxConcurrent: 4,
    },
  );
  await clock.advance(1000);
  return { ...course, result: await racing, left: clock.sleeping };
}

const CASES: Record<string, { plan: Plan; winner: number | "none" | "late"; at: number[] }> = {
  "the first answers": { plan: [10, 10], winner: 0, at: [0] },
  "the first is late, a second wins": { plan: [200, 10], winner: 1, at: [0, 50] },
  "the first is late and wins still": { plan: [60, 100], winner: 0, at: [0, 50] },
  "a failure brings the next at once": { plan: [-10, 10], winner: 1, at: [0, 10] },
  "three silent, one good": { plan: [999, 999, 999, 5], winner: 3, at: [0, 50, 100, 150] },
  "nobody else is asked beyond four at once": {
    plan: [999, 999, 999, 999, 1],
    winner: "late",
    at: [0, 50, 100, 150],
  },
  "all fail": { plan: [-1, -1], winner: "none", at: [0, 1] },
  "three losses are enough": { plan: [-1, -1, -1, 1], winner: "none", at: [0, 1, 2] },
  "nobody there": { plan: [], winner: "none", at: [] },
};

for (const [name, { plan, winner, at }] of Object.entries(CASES)) {
  test(`race: ${name}`, async () => {
    const { result, asked, left } = await run(plan);
    assert.deepEqual(
      result,
      typeof winner === "number"
        ? { won: true, prize: winner }
        : { won: false, late: winner === "late" },
    );
    assert.deepEqual(asked.map((turn) => turn.at), at);
    assert.equal(left, 0);
  });
}

test("race: losers are aborted, the winner is not", async () => {
  const { aborted } = await run([200, 10]);
  assert.deepEqual(aborted, [0]);
});

test("race: its signal ends it", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const racing = race<number, number>(
    {
      next: () => Promise.resolve(1),
      ask: async (_, signal) => {
        await clock.sleep(1000, { signal });
        return 1;
      },
      hedgeMs: () => 500,
      discard: () => {},
    },
    clock,
    { signal: controller.signal, budgetMs: 450, maxLosses: 3, maxConcurrent: 4 },
  );
  await clock.advance(10);
  controller.abort(new Error("enough"));
  await assert.rejects(racing, /enough/);
  assert.equal(clock.sleeping, 0);
});
