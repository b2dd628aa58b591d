import assert from "node:assert/strict";
import { RateLimiter } from "../../lib/async/rate_limiter.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

const NEVER = new AbortController().signal;
const RATE = 1_000_000;

/** A transfer that takes as much as it may, in pieces; counts what it got. */
function flow(limiter: RateLimiter, name: string, piece: number, signal: AbortSignal) {
  const got = { bytes: 0 };
  (async () => {
    while (!signal.aborted) {
      await limiter.take(name, piece, signal);
      got.bytes += piece;
    }
  })().catch(() => {});
  return got;
}

test("rate limiter: the rate holds over time, whatever the size of pieces", async () => {
  for (const [piece, seconds] of [[10_000, 2], [300_000, 12]] as const) {
    const clock = new FakeClock();
    const stop = new AbortController();
    const got = flow(new RateLimiter(clock, RATE), "a", piece, stop.signal);
    await clock.advance(seconds * 1000);
    stop.abort();
    assert.ok(Math.abs(got.bytes / (seconds * RATE) - 1) < 0.05, `${got.bytes} bytes`);
  }
});

test("rate limiter: timers that are late do not lower the rate", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const late = { now: () => clock.now(), sleep: (ms: number) => clock.sleep(ms + 5) };
  const got = flow(new RateLimiter(late, RATE), "a", 10_000, stop.signal);
  await clock.advance(2000);
  stop.abort();
  await clock.advance(100);
  assert.ok(Math.abs(got.bytes / (2 * RATE) - 1) < 0.05, `${got.bytes} bytes in 2 s`);
});

test("rate limiter: flows share fairly, however many transfers each has", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const limiter = new RateLimiter(clock, RATE);
  const many = [1, 2, 3, 4, 5].map(() => flow(limiter, "many", 10_000, stop.signal));
  const one = flow(limiter, "one", 10_000, stop.signal);
  await clock.advance(2000);
  stop.abort();
  const total = many.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(Math.abs(one.bytes / total - 1) < 0.05, `${one.bytes} and ${total} bytes`);
  assert.ok(many.every(({ bytes }) => bytes > 0));
});

test("rate limiter: whoever leaves takes nothing and holds nobody up", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock, RATE);
  assert.equal(limiter.take("a", RATE, NEVER), undefined);
  const leave = new AbortController();
  const gone = limiter.take("a", 10 * RATE, leave.signal);
  const next = limiter.take("b", 1, NEVER);
  leave.abort(new Error("gone"));
  await assert.rejects(gone ?? Promise.resolve(), /gone/);
  let passed = false;
  next?.then(() => passed = true);
  await clock.advance(900);
  assert.equal(passed, false);
  await clock.advance(100);
  assert.equal(passed, true);
  await assert.rejects(limiter.take("c", 1, leave.signal) ?? Promise.resolve(), /gone/);
  await clock.advance(1000);
  assert.equal(clock.sleeping, 0);
});

test("rate limiter: pieces are small where the rate is low", () => {
  const clock = new FakeClock();
  assert.equal(new RateLimiter(clock, 1000).pieceBytes, 4096);
  assert.equal(new RateLimiter(clock, 1e6).pieceBytes, 20_000);
  assert.equal(new RateLimiter(clock, 1e9).pieceBytes, 256 * 1024);
  assert.throws(() => new RateLimiter(clock, 0), RangeError);
});
