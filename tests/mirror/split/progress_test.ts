import assert from "node:assert/strict";
import { type Progress, ProgressWatch } from "../../../lib/mirror/split/progress.ts";
import { test } from "../../support/test.ts";

const OPTIONS = {
  stallWindowMs: 1000,
  slowWindowMs: 1500,
  minBytesPerSecond: 65_536,
  giveUpMs: 3000,
};

/** Lets time pass with so many bytes each 10 ms, and says when the first verdict came. */
function drive(watch: ProgressWatch, from: number, untilMs: number, bytesEach10Ms: number) {
  for (let now = from + 10; now <= untilMs; now += 10) {
    if (bytesEach10Ms > 0) {
      watch.arrived(now, bytesEach10Ms);
      watch.wait(now);
    }
    if (now % watch.tickMs !== 0) continue;
    const progress: Progress = watch.check(now);
    if (progress !== "fine") return { progress, now };
  }
  return undefined;
}

function waiting(): ProgressWatch {
  const watch = new ProgressWatch(OPTIONS);
  watch.wait(0);
  return watch;
}

test("no byte for a window is a stall, and after all the time the end", () => {
  const watch = waiting();
  assert.deepEqual(drive(watch, 0, 9000, 0), { progress: "stalled", now: 1000 });
  watch.renew();
  assert.deepEqual(drive(watch, 1000, 9000, 0), { progress: "stalled", now: 2000 });
  watch.renew();
  assert.deepEqual(drive(watch, 2000, 9000, 0), { progress: "dead", now: 3000 });
});

test("a byte now and then is no progress", () => {
  const watch = waiting();
  const verdicts: string[] = [];
  for (let now = 100; verdicts.length < 2 && now < 9000; now += 100) {
    if (now % 900 === 0) {
      watch.arrived(now, 1);
      watch.wait(now);
    }
    const progress = watch.check(now);
    if (progress === "fine") continue;
    verdicts.push(`${progress} ${now}`);
    watch.renew();
  }
  assert.deepEqual(verdicts, ["stalled 1000", "stalled 2000"]);
});

test("a slow beginning is forgotten once bytes come", () => {
  const watch = waiting();
  assert.equal(drive(watch, 0, 900, 0), undefined);
  watch.arrived(900, 1);
  watch.wait(900);
  assert.equal(drive(watch, 900, 20_000, 4000), undefined);
});

test("a trickle is slow within the window, even after a fast beginning", () => {
  assert.deepEqual(drive(waiting(), 0, 9000, 100), { progress: "slow", now: 1500 });
  const watch = waiting();
  assert.equal(drive(watch, 0, 5000, 1_000_000), undefined);
  const verdict = drive(watch, 5000, 20_000, 100);
  assert.equal(verdict?.progress, "slow");
  assert(verdict.now <= 5000 + OPTIONS.slowWindowMs + 2 * watch.tickMs, `at ${verdict.now}`);
});

test("speed above the least is fine for ever", () => {
  assert.equal(drive(waiting(), 0, 60_000, 700), undefined);
});

test("each verdict slow makes the next one later", () => {
  const watch = waiting();
  const times: number[] = [];
  for (let from = 0; times.length < 4;) {
    const verdict = drive(watch, from, 100_000, 100);
    assert.equal(verdict?.progress, "slow");
    times.push(verdict.now - from);
    watch.forgiveSlowness();
    watch.renew();
    from = verdict.now;
  }
  assert(times.every((ms, index) => index < 2 || ms > (times[index - 1] ?? 0)), String(times));
});

test("time in which nobody wants bytes does not count", () => {
  const watch = waiting();
  watch.arrived(10, 100);
  assert.equal(drive(watch, 10, 20_000, 0), undefined);
});

test("a pause of this process counts for two ticks only", () => {
  const watch = waiting();
  assert.equal(watch.check(60_000), "fine");
  assert.equal(watch.check(60_200), "fine");
});
