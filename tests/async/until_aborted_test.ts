import assert from "node:assert/strict";
import { untilAborted } from "../../lib/async/until_aborted.ts";
import { test } from "../support/test.ts";

test("until aborted: the work's own end, good or bad", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(7), signal), 7);
  await assert.rejects(untilAborted(Promise.reject(new Error("broken")), signal), /broken/);
});

test("until aborted: work that fails when nobody waits any more harms nobody", async () => {
  for (const abortFirst of [true, false]) {
    const abort = new AbortController();
    const work = Promise.withResolvers<never>();
    if (abortFirst) abort.abort(new Error("enough"));
    const waited = assert.rejects(untilAborted(work.promise, abort.signal), /enough/);
    abort.abort(new Error("enough"));
    await waited;
    // Would end the process if it were not observed.
    work.reject(new Error("late"));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
});
