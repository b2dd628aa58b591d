import assert from "node:assert/strict";
import { ApiError } from "../../lib/kubernetes/api_error.ts";
import { NodeFollower } from "../../lib/kubernetes/node_follower.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeKubernetesApi } from "../fakes/kubernetes.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const KEY = "eddy.dev/starting";
const TAINT = { key: KEY, effect: "NoSchedule" };

function messages({ lines }: MemoryLog, level: string): string[] {
  return lines.filter((line) => line.level === level).map(({ message }) => message);
}

/** A follower that runs on a clock of its own. */
function setUp(options: { startupTaint?: string } = { startupTaint: KEY }) {
  const api = new FakeKubernetesApi();
  api.labels = { "topology.kubernetes.io/zone": "z1" };
  api.taints = [TAINT];
  const clock = new FakeClock();
  const log = new MemoryLog();
  const state = { ready: false };
  const stop = new AbortController();
  const collaborators = { api, clock, log, random: () => 0 };
  const follower = new NodeFollower(collaborators, { node: "n1", ...options });
  let ended: Promise<unknown> = Promise.resolve();
  return {
    api,
    clock,
    log,
    state,
    follower,
    start: () => {
      ended = follower.run({ signal: stop.signal, ready: () => state.ready }).catch((error) =>
        error
      );
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

test("node: the taint waits for readiness, zone and region do not", async () => {
  await using rig = setUp();
  rig.start();
  await rig.clock.advance(2000);
  assert.deepEqual(rig.follower.topology, { zone: "z1" });
  assert.deepEqual(rig.api.taints, [TAINT]);
  rig.state.ready = true;
  await rig.clock.advance(200);
  assert.deepEqual(rig.api.taints, []);
  assert.equal(messages(rig.log, "info").filter((text) => /taint removed/.test(text)).length, 1);
});

test("node: an API server that is gone is tried again with growing pauses, and said rarely", async () => {
  await using rig = setUp();
  rig.state.ready = true;
  rig.api.before = () => {
    throw new ApiError("unavailable", "cannot read node n1: connection refused");
  };
  rig.start();
  await rig.clock.advance(10 * 60_000);
  const tries = rig.api.calls.length;
  assert(tries >= 10 && tries <= 40, `${tries} tries in ten minutes`);
  assert(messages(rig.log, "warn").length <= 1 + tries / 10);
  assert.equal(rig.follower.topology, undefined);
  rig.api.before = () => {};
  await rig.clock.advance(61_000);
  assert.deepEqual(rig.api.taints, []);
});

test("node: each new reason of failure is said", async () => {
  await using rig = setUp();
  const reasons = ["connection refused", "connection refused", "forbidden", "gone"];
  rig.api.before = () => {
    const reason = reasons.shift();
    if (reason !== undefined) throw new ApiError("other", reason);
  };
  rig.start();
  await rig.clock.advance(10_000);
  const said = messages(rig.log, "warn").map((text) => text.replace(/;.*/, ""));
  assert.deepEqual(said, ["connection refused", "forbidden", "gone"]);
});

test("node: one that registers anew with the taint is freed of it again, when ready", async () => {
  await using rig = setUp();
  rig.state.ready = true;
  rig.start();
  await rig.clock.advance(1000);
  assert.deepEqual(rig.api.taints, []);
  rig.api.taints = [TAINT];
  rig.state.ready = false;
  await rig.clock.advance(5 * 60_000 + 1000);
  assert.deepEqual(rig.api.taints, [TAINT]);
  rig.state.ready = true;
  await rig.clock.advance(1000);
  assert.deepEqual(rig.api.taints, []);
});

test("node: without a taint to remove nothing is changed, and a moved node is noticed", async () => {
  await using rig = setUp({});
  rig.state.ready = true;
  rig.start();
  await rig.clock.advance(1000);
  rig.api.labels = { "topology.kubernetes.io/zone": "z2" };
  await rig.clock.advance(10 * 60_000);
  assert.deepEqual(rig.follower.topology, { zone: "z2" });
  assert.deepEqual(rig.api.taints, [TAINT]);
  assert(!rig.api.calls.includes("patch"));
});
