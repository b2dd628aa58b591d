import assert from "node:assert/strict";
import { inBackground } from "../../lib/async/in_background.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

test("in background: work ends when it is told, and then says nothing", async () => {
  const clock = new FakeClock();
  const ended: unknown[] = [];
  const stop = inBackground((options) => clock.sleep(1000, options), (error) => ended.push(error));
  await stop();
  assert.deepEqual([ended, clock.sleeping], [[], 0]);
});

test("in background: it is told that work ended by itself", async () => {
  const broken = new Error("broken");
  const ended: unknown[] = [];
  const stop = inBackground(() => Promise.reject(broken), (error) => ended.push(error));
  await Promise.resolve();
  await stop();
  assert.deepEqual(ended, [broken]);
});

test("in background: the options can be spread", async () => {
  const spread = Promise.withResolvers<AbortSignal | undefined>();
  const end = inBackground((options) => {
    const { signal } = { ...options };
    spread.resolve(signal);
    return Promise.resolve();
  }, () => {});
  assert.equal((await spread.promise)?.aborted, false);
  await end();
});
