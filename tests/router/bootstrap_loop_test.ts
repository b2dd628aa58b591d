import assert from "node:assert/strict";
import {
  BootstrapLoop,
  type BootstrapLoopCollaborators,
  type DialTarget,
} from "../../lib/router/bootstrap/bootstrap_loop.ts";
import type { KnownPeer } from "../../lib/router/bootstrap/last_peers.ts";
import type { IpPort } from "../../lib/router/libp2p/address.ts";
import { untilAborted } from "../../lib/async/until_aborted.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

const MINUTE = 60_000;

/** Peers of an earlier run, in which this node had an address. */
function lastPeers(peers: readonly KnownPeer[], own?: string) {
  return { peers, wasOwn: ([at]: readonly IpPort[]) => at?.ip === own, forget() {} };
}

/** A loop whose rounds are counted, under a clock that the test moves. */
function makeLoop(collaborators: Partial<BootstrapLoopCollaborators> = {}) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const state = { peers: 0, rounds: 0, ended: 0, dialled: [] as DialTarget[] };
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
    lastPeers: lastPeers([]),
    peerCount: () => state.peers,
    routerPort: () => 5001,
    onRound: () => void state.ended++,
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

/** The longest time between two rounds while DNS may still name pods that are gone, ms. */
const SOON = 3000;

test("while nobody is known it tries again, every few seconds at first, then more rarely", async () => {
  const { clock, state, stop } = makeLoop();
  await clock.advance(0);
  assert.equal(state.rounds, 1);
  await clock.advance(50);
  assert(state.rounds >= 2);
  for (let at = 0; at < 2 * MINUTE - SOON; at += SOON) {
    const before = state.rounds;
    await clock.advance(SOON);
    assert(state.rounds > before, `after ${at} ms`);
  }
  await clock.advance(MINUTE);
  const before = state.rounds;
  await clock.advance(MINUTE);
  assert(state.rounds - before >= 6 && state.rounds - before <= 12, `${state.rounds - before}`);
  await stop();
});

test("while a listed peer does not answer it soon looks again, though it knows others", async () => {
  const { clock, state, stop } = makeLoop();
  state.peers = 20;
  for (let at = 0; at < 2 * MINUTE - SOON; at += SOON) {
    const before = state.rounds;
    await clock.advance(SOON);
    assert(state.rounds > before, `after ${at} ms`);
  }
  await clock.advance(2 * SOON);
  const before = state.rounds;
  await clock.advance(9 * MINUTE);
  assert.equal(state.rounds, before, "that peer is given up");
  await stop();
});

const ELSEWHERE = { id: "known", addresses: [{ ip: "10.0.0.9", port: 5001 }] };

test("peers of an earlier run are dialled while the list is still being read", async () => {
  const dialled: DialTarget[] = [];
  const { clock, loop, stop } = makeLoop({
    bootstrapper: { get: ({ signal }) => untilAborted(new Promise(() => {}), signal) },
    lastPeers: lastPeers([ELSEWHERE]),
    dial(target) {
      dialled.push(target);
      return Promise.resolve("connected");
    },
  });
  await clock.advance(499);
  assert.deepEqual(dialled, []);
  await clock.advance(1);
  assert.deepEqual(dialled, [ELSEWHERE]);
  assert.equal(loop.alone, false);
  await stop();
});

test("peers of an earlier run are dialled at once if no listed one answers, or none is a peer", async () => {
  for (const outcome of ["failed", "self", "connected"] as const) {
    const dialled: DialTarget[] = [];
    const { clock, stop } = makeLoop({
      lastPeers: lastPeers([ELSEWHERE]),
      dial(target) {
        dialled.push(target);
        return Promise.resolve(outcome);
      },
    });
    // That a connected node becomes a peer is waited for.
    await clock.advance(outcome === "connected" ? 1000 : 0);
    assert.deepEqual(dialled.map(({ id }) => id), [undefined, "known"], outcome);
    await stop();
  }
});

test("peers of an earlier run are forgotten, not dialled, if the list leads to one", async () => {
  for (const others of [1, 2]) {
    let forgotten = 0;
    const last = { ...lastPeers([ELSEWHERE]), forget: () => forgotten++ };
    const addresses = Array.from({ length: others }, (_, i) => `10.0.0.${i + 1}`);
    const { clock, state, stop } = makeLoop({
      bootstrapper: {
        get: () => Promise.resolve(addresses.map((ip) => ({ addresses: [{ ip }] }))),
      },
      lastPeers: last,
      dial(target, { signal }) {
        state.dialled.push(target);
        // The second listens no more, and nothing says so.
        if (target.addresses[0]?.ip === "10.0.0.2") {
          return untilAborted(new Promise<never>(() => {}), signal).catch(() => "failed" as const);
        }
        clock.sleep(100).then(() => state.peers = 1);
        return Promise.resolve("connected" as const);
      },
    });
    await clock.advance(1000);
    assert.equal(state.dialled.filter(({ id }) => id === "known").length, 0);
    assert.equal(forgotten, 1);
    await stop();
  }
});

test("peers of an earlier run are not dialled once others are known", async () => {
  const { clock, state, stop } = makeLoop({
    lastPeers: lastPeers([ELSEWHERE]),
    peerCount: () => 1,
  });
  await clock.advance(0);
  assert.deepEqual(state.dialled.map(({ id }) => id), [undefined]);
  await stop();
});

const NOBODY = () => Promise.resolve([]);
const FAILURE = () => Promise.reject(new Error("no such host"));
const ALONE_CASES: readonly {
  readonly name: string;
  readonly given: Partial<BootstrapLoopCollaborators>;
  readonly alone: boolean;
}[] = [
  { name: "the list names another, who does not answer", given: {}, alone: false },
  {
    name: "the list names this node",
    given: { dial: () => Promise.resolve("self") },
    alone: true,
  },
  {
    name: "the list names only known peers and this node",
    given: { skip: () => true },
    alone: true,
  },
  {
    name: "the list names an address that this node had earlier",
    given: { lastPeers: lastPeers([ELSEWHERE], "10.0.0.1") },
    alone: true,
  },
  { name: "the list names nobody", given: { bootstrapper: { get: NOBODY } }, alone: true },
  {
    name: "the list names nobody, but there were peers earlier",
    given: {
      bootstrapper: { get: NOBODY },
      lastPeers: lastPeers([ELSEWHERE]),
    },
    alone: false,
  },
  { name: "the list cannot be read", given: { bootstrapper: { get: FAILURE } }, alone: true },
  {
    name: "the list cannot be read, and there were peers earlier",
    given: {
      bootstrapper: { get: FAILURE },
      lastPeers: lastPeers([ELSEWHERE]),
    },
    alone: false,
  },
  {
    name: "the list names more than are dialled at once",
    given: {
      bootstrapper: {
        get: () =>
          Promise.resolve(Array.from({ length: 7 }, (_, i) => ({ addresses: [{ ip: `::${i}` }] }))),
      },
      dial: () => Promise.resolve("self"),
    },
    alone: false,
  },
];

for (const { name, given, alone } of ALONE_CASES) {
  test(`${alone ? "alone" : "not alone"}: ${name}`, async () => {
    const { clock, loop, stop } = makeLoop(given);
    assert.equal(loop.alone, false);
    await clock.advance(0);
    assert.equal(loop.alone, alone);
    await stop();
  });
}

test("a list that names this node alone, by very many addresses: it is soon alone", async () => {
  const listed = Array.from({ length: 30 }, (_, i) => ({ addresses: [{ ip: `10.0.1.${i}` }] }));
  const { clock, loop, state, stop } = makeLoop({
    bootstrapper: { get: () => Promise.resolve(listed) },
    dial(target) {
      state.dialled.push(target);
      return Promise.resolve("self");
    },
  });
  await clock.advance(3000);
  assert.equal(loop.alone, true);
  const before = state.dialled.length;
  assert.equal(before, 30);
  await clock.advance(10 * MINUTE);
  assert(state.dialled.length > before, "an address may become another's");
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
    for (let second = 0; second < 180; second++) await clock.advance(1000);
    const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
    assert((pauses[0] ?? Infinity) <= 1000, pauses.join(" "));
    const last = pauses.slice(-4);
    assert(last.every((ms) => ms >= 5000 && ms <= 11_000), pauses.join(" "));
    await stop();
  });
}

for (const outcome of ["connected", "failed"] as const) {
  test(`a round is over once it is known that its peers are ${outcome}`, async () => {
    const answer = Promise.withResolvers<typeof outcome>();
    const { clock, state, stop } = makeLoop({ dial: () => answer.promise });
    await clock.advance(0);
    assert.deepEqual([state.rounds, state.ended], [1, 0]);
    state.peers = outcome === "connected" ? 1 : 0;
    answer.resolve(outcome);
    await clock.advance(0);
    assert.deepEqual([state.rounds, state.ended], [1, 1]);
    await stop();
  });
}

test("a round is over at once where nobody is named", async () => {
  const { clock, state, stop } = makeLoop({ bootstrapper: { get: NOBODY } });
  await clock.advance(0);
  assert.deepEqual([clock.now(), state.ended], [0, 1]);
  await stop();
});

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
  const { clock, state, stop } = makeLoop({ dial: () => Promise.resolve("connected") });
  await clock.advance(900);
  assert.equal(state.rounds, 1);
  await clock.advance(200);
  assert.equal(state.rounds, 2);
  await stop();
});

test("a list that cannot be learned is logged once", async () => {
  const { clock, log, stop } = makeLoop({ bootstrapper: { get: FAILURE } });
  await clock.advance(MINUTE);
  const messages = log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  assert.deepEqual(messages, ["bootstrap peers cannot be learned"]);
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
