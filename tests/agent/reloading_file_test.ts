import assert from "node:assert/strict";
import { ReloadingFile, REREAD_MS } from "../../lib/agent/reloading_file.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

/** A file of which each reading fails with the next of these, or succeeds where it is empty. */
function rig(outcomes: readonly string[]) {
  const clock = new FakeClock();
  const left = [...outcomes];
  const problems: string[] = [];
  const file = new ReloadingFile(clock, {
    read: () => {
      const outcome = left.shift() ?? "";
      return outcome === "" ? Promise.resolve() : Promise.reject(new Error(outcome));
    },
    onProblem: (reason) => problems.push(reason),
  });
  return { clock, file, problems, left };
}

test("reloading file: a problem is told once, and again after it was good", async () => {
  const { clock, file, problems, left } = rig(["", "gone", "gone", "bad", "", "bad", ""]);
  const stop = file.follow(() => assert.fail("it goes on"));
  await clock.advance(7 * REREAD_MS);
  assert.deepEqual([problems, left], [["gone", "bad", "bad"], []]);
  await stop();
  assert.equal(clock.sleeping, 0);
});

test("reloading file: whoever asks has it read no more often", async () => {
  const { clock, file, problems, left } = rig(["bad", "", ""]);
  await file.refresh();
  await file.refresh();
  assert.deepEqual([problems, left.length], [["bad"], 2]);
  await clock.advance(REREAD_MS - 1);
  await file.refresh();
  assert.equal(left.length, 2);
  await clock.advance(1);
  await file.refresh();
  assert.equal(left.length, 1);
});
