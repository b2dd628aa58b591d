import assert from "node:assert/strict";
import {
  BootstrapLoop,
  type BootstrapLoopCollaborators,
  type DialTarget,
} from "../../lib/router/bootstrap/bootstrap_loop.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const MINUTE = 60_000;

/** A loop whose rounds are counted, under a clock that the test moves. */
function makeLoop(collaborators: Partial<BootstrapLoopCollaborators> = {}) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const state = { peers: 0, rounds: 0, dialled: [] as DialTarget[] };
  const loop = new BootstrapLoop({
    bootstrapper: {
      get() {
        state.rounds++;
        return Promise.resolve([{ addresses: [{ ip: "10.0.0.1" }] }]);
      },
    },
    dial(target) {
      state.dialled.push(target);
      return Promise.resolve("failed");
    },
    skip: () => false,
    peerCount: () => state.peers,
    routerPort: () => 5001,
    clock,
    log,
    ...collaborators,
  });
  const controller = new AbortController();
  const ended = loop.run(controller).catch((reason) => reason);
  const stop = async () => {
    controller.abort(new Error("stop"));
    await clock.advance(0);
    assert.equal((await ended).message, "stop");
    assert.equal(clock.sleeping, 0);
  };
  return { loop, clock, log, state, stop };
}

test("while nobody is known it tries again, more and more rarely", async () => {
  const { clock, state, loop, stop } = makeLoop();
  assert.equal(loop.completed, false);
  await clock.advance(0);
  assert.equal(loop.completed, true);
  assert.equal(state.rounds, 1);
  await clock.advance(50);
  assert(state.rounds >= 2);
  await clock.advance(MINUTE);
  const before = state.rounds;
  await clock.advance(MINUTE);
  assert(state.rounds - before >= 6 && state.rounds - before <= 12, `${state.rounds - before}`);
  await stop();
});

for (
  const [answer, get] of [
    ["is not to be had", () => Promise.reject(new Error("unreachable"))],
    ["is empty", () => Promise.resolve([])],
    [
      "names nobody who is there",
      () => Promise.resolve([{ id: "liar", addresses: [{ ip: "10.0.0.9" }] }]),
    ],
  ] as const
) {
  test(`a list that ${answer} is asked for again, more and more rarely`, async () => {
    const asked: number[] = [];
    const bootstrapper = {
      get() {
        asked.push(clock.now());
        return get();
      },
    };
    const { clock, stop } = makeLoop({ bootstrapper });
    for (let second = 0; second < 60; second++) await clock.advance(1000);
    const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
    assert((pauses[0] ?? Infinity) <= 1000, pauses.join(" "));
    const last = pauses.slice(-4);
    assert(last.every((ms) => ms >= 5000 && ms <= 11_000), pauses.join(" "));
    await stop();
  });
}

test("addresses without a port get the router's", async () => {
  const { clock, state, stop } = makeLoop();
  await clock.advance(0);
  assert.deepEqual(state.dialled, [{ addresses: [{ ip: "10.0.0.1", port: 5001 }] }]);
  await stop();
});

test("with few peers it looks again every minute or so, with many every ten", async () => {
  const { clock, state, stop } = makeLoop({ dial: () => Promise.resolve("connected") });
  state.peers = 2;
  await clock.advance(0);
  assert.equal(state.rounds, 1);
  await clock.advance(MINUTE - 1);
  assert.equal(state.rounds, 1);
  state.peers = 20;
  await clock.advance(MINUTE / 2 + 1);
  assert.equal(state.rounds, 2);
  await clock.advance(10 * MINUTE - MINUTE / 2 - 1);
  assert.equal(state.rounds, 2);
  await clock.advance(6 * MINUTE);
  assert.equal(state.rounds, 3);
  await stop();
});

test("it begins anew at once when it is woken", async () => {
  const { loop, clock, state, stop } = makeLoop();
  state.peers = 20;
  await clock.advance(0);
  state.peers = 0;
  loop.wake();
  await clock.advance(0);
  assert.equal(state.rounds, 2);
  await clock.advance(50);
  assert.equal(state.rounds, 3);
  await stop();
});

test("a connected peer is waited for until it is in the table, but not for long", async () => {
  const { loop, clock, stop } = makeLoop({ dial: () => Promise.resolve("connected") });
  await clock.advance(500);
  assert.equal(loop.completed, false);
  await clock.advance(600);
  assert.equal(loop.completed, true);
  await stop();
});

test("a list that cannot be learned is logged, and the round counts all the same", async () => {
  const { loop, clock, log, stop } = makeLoop({
    bootstrapper: { get: () => Promise.reject(new Error("no such host")) },
  });
  await clock.advance(0);
  assert.equal(loop.completed, true);
  assert.equal(log.lines[0]?.message, "bootstrap peers cannot be learned");
  await stop();
});

test("of a long list only some are dialled, and nobody who is known", async () => {
  const dialled: DialTarget[] = [];
  const { clock, stop } = makeLoop({
    bootstrapper: {
      get: () =>
        Promise.resolve(
          Array.from({ length: 100 }, (_, i) => ({ addresses: [{ ip: `10.0.0.${i}`, port: 1 }] })),
        ),
    },
    skip: ({ addresses }) => Number(addresses[0]?.ip.split(".")[3]) < 50,
    dial(target) {
      dialled.push(target);
      return Promise.resolve("failed");
    },
  });
  await clock.advance(0);
  assert.equal(dialled.length, 6);
  assert(dialled.every(({ addresses }) => Number(addresses[0]?.ip.split(".")[3]) >= 50));
  await stop();
});
