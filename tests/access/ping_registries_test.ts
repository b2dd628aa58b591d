import assert from "node:assert/strict";
import { pingRegistries } from "../../lib/access/ping_registries.ts";
import { RuntimeReach } from "../../lib/access/runtime_reach.ts";
import type { UpstreamAnswer } from "../../lib/ports/access.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { OPEN, pathOf } from "./authorizer_rig.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const REACHED: UpstreamAnswer = { type: "missing", hidden: false };
const AWAY: UpstreamAnswer = { type: "unavailable", reason: "unreachable" };
const TAG = pathOf(`${OPEN}:v1`).reference;
const { signal } = new AbortController();

/** Asks registries, with the longest jitter, until disposed. */
function pinging(registries: string[], random = () => 1 - Number.EPSILON) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const today = () => 1_700_000_000_000 + clock.now();
  const store = { updatedAt: () => Promise.resolve(undefined) };
  const reach = new RuntimeReach({ clock, log, store, today });
  const stop = new AbortController();
  const asked: { registry: string; at: number }[] = [];
  const rig = {
    ...{ clock, log, reach, registries, asked },
    answer: REACHED as UpstreamAnswer | Promise<UpstreamAnswer>,
    /** Hours at which a registry was asked. */
    hours: (registry: string) =>
      asked.filter((one) => one.registry === registry).map(({ at }) => at / HOUR_MS),
    running: Promise.resolve(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await rig.running;
    },
  };
  rig.running = pingRegistries({
    ...{ clock, log, reach, random },
    registries: () => Promise.resolve(rig.registries),
    ping: (registry) => {
      asked.push({ registry, at: clock.now() });
      return Promise.resolve(rig.answer);
    },
  }, stop).catch((error) => assert.equal(error, stop.signal.reason));
  return rig;
}

test("registries are asked at the start, and then once in six hours or a little more", async () => {
  await using rig = pinging(["docker.io", "quay.io"]);
  assert.deepEqual(rig.asked, []);
  await rig.clock.advance(2_000);
  assert.deepEqual(rig.asked.map(({ registry }) => registry), ["docker.io", "quay.io"]);
  await rig.clock.advance(23 * HOUR_MS);
  for (const registry of ["docker.io", "quay.io"]) {
    const hours = rig.hours(registry);
    assert.equal(hours.length, 4, `${hours}`);
    const pauses = hours.slice(1).map((hour, index) => hour - (hours[index] ?? 0));
    assert.ok(pauses.every((pause) => pause >= 6 && pause <= 7.7), `${pauses}`);
  }
});

test("what the registry answered is known in an outage: tags are not left to the runtime", async () => {
  for (const answer of [REACHED, AWAY]) {
    await using rig = pinging(["docker.io"]);
    rig.answer = answer;
    await rig.clock.advance(20 * MINUTE_MS);
    rig.reach.observe("docker.io", AWAY);
    assert.equal(await rig.reach.leaves(TAG, { signal }), answer === AWAY);
  }
});

test("a registry that does not answer is asked sooner, then less often, at least once an hour", async () => {
  await using rig = pinging(["docker.io"]);
  rig.answer = AWAY;
  await rig.clock.advance(10 * MINUTE_MS);
  assert.ok(rig.asked.length >= 4, `${rig.hours("docker.io")}`);
  await rig.clock.advance(10 * HOUR_MS);
  assert.ok(rig.asked.length < 24, `${rig.asked.length} in ten hours`);
  assert.equal(rig.reach.unansweredFor("docker.io"), Infinity);
  rig.answer = REACHED;
  await rig.clock.advance(HOUR_MS + MINUTE_MS);
  assert.ok(rig.reach.unansweredFor("docker.io") <= HOUR_MS + MINUTE_MS);
  assert.deepEqual(rig.log.lines.at(-1)?.fields, { registry: "docker.io", outcome: "reached" });
  const before = rig.asked.length;
  await rig.clock.advance(4 * HOUR_MS);
  assert.equal(rig.asked.length, before);
});

test("one is asked at a time", async () => {
  await using rig = pinging(["a.test", "b.test"]);
  const slow = Promise.withResolvers<UpstreamAnswer>();
  rig.answer = slow.promise;
  await rig.clock.advance(HOUR_MS);
  assert.deepEqual(rig.asked.map(({ registry }) => registry), ["a.test"]);
  slow.resolve(REACHED);
  await rig.clock.advance(MINUTE_MS);
  assert.deepEqual(rig.asked.map(({ registry }) => registry), ["a.test", "b.test"]);
});

test("a registry that answered a pull is not asked for six hours", async () => {
  await using rig = pinging(["docker.io"]);
  rig.reach.observe("docker.io", REACHED);
  await rig.clock.advance(5 * HOUR_MS);
  assert.deepEqual(rig.asked, []);
  await rig.clock.advance(3 * HOUR_MS);
  assert.equal(rig.asked.length, 1);
});

test("new registries are noticed, those that are gone forgotten, and no more than 16 asked", async () => {
  await using rig = pinging(["a.test"]);
  await rig.clock.advance(MINUTE_MS);
  rig.registries = Array.from({ length: 20 }, (_, index) => `r${index}.test`);
  await rig.clock.advance(8 * HOUR_MS);
  assert.equal(rig.hours("a.test").length, 1);
  assert.equal(new Set(rig.asked.map(({ registry }) => registry)).size, 1 + 16);
});

test("without a registry nothing is asked", async () => {
  await using rig = pinging([]);
  await rig.clock.advance(HOUR_MS);
  assert.deepEqual(rig.asked, []);
});
