import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { type PeerActions, PeerMonitor } from "../../../lib/router/peers/peer_monitor.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

/** A monitor over peers of which some do not answer. */
async function makeMonitor(
  count: number,
  actions: Partial<PeerActions> = {},
  pingIntervalMs = 2000,
) {
  const clock = new FakeClock();
  const known = new Set(await peerIds(count));
  const dead = new Set<PeerId>();
  const counts = {
    pings: 0,
    dials: 0,
    offers: 0,
    evicted: [] as PeerId[],
    forgotten: [] as PeerId[],
  };
  const answer = (peer: PeerId) =>
    dead.has(peer) ? Promise.reject(new Error("no answer")) : Promise.resolve();
  const monitor = new PeerMonitor({
    clock,
    log: new MemoryLog(),
    actions: {
      known: () => [...known],
      ping(peer) {
        counts.pings++;
        return answer(peer);
      },
      takesConnections: (peer) => Promise.resolve(!dead.has(peer)),
      addresses: () => Promise.resolve([]),
      dial(peer) {
        counts.dials++;
        return answer(peer);
      },
      offerConnected() {
        counts.offers++;
        return Promise.resolve();
      },
      evict(peer) {
        known.delete(peer);
        counts.evicted.push(peer);
        return Promise.resolve();
      },
      forget: (peer) => void counts.forgotten.push(peer),
      ...actions,
    },
  }, { pingIntervalMs, pingTimeoutMs: 50 });
  return { monitor, clock, known, dead, counts, peers: [...known] };
}

test("a peer that answers stays", async () => {
  const { monitor, clock, counts } = await makeMonitor(3);
  monitor.start();
  await clock.advance(6000);
  assert.equal(counts.pings, 9);
  assert.equal(counts.offers, 3, "connected peers that the table lacks are offered each round");
  assert.deepEqual(counts.evicted, []);
  monitor.stop();
  await clock.advance(0);
  assert.equal(clock.sleeping, 0);
});

test("a peer that refuses connections is evicted, and down until it is back", async () => {
  const { monitor, clock, dead, counts, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  dead.add(peer);
  monitor.start();
  await clock.advance(2000);
  assert(monitor.isSuspect(peer.toString()));
  await clock.advance(500);
  assert.deepEqual(counts.evicted, [peer]);
  assert(monitor.isDown(peer.toString()));
  assert(!monitor.isSuspect(peer.toString()));
  dead.delete(peer);
  await clock.advance(2000);
  assert.equal(counts.dials, 1);
  assert(!monitor.isDown(peer.toString()));
  monitor.stop();
});

test("one lost ping proves nothing", async () => {
  let pings = 0;
  const { monitor, clock, counts, peers: [peer] } = await makeMonitor(1, {
    ping: () => ++pings === 1 ? Promise.reject(new Error("busy")) : Promise.resolve(),
  });
  assert(peer);
  const checked = monitor.check(peer);
  await clock.advance(100);
  await checked;
  assert.equal(pings, 2);
  assert.deepEqual(counts.evicted, []);
});

test("a silent peer whose host takes connections is suspect, and dead after six seconds", async () => {
  const { monitor, clock, counts, peers: [peer] } = await makeMonitor(1, {
    ping: () => new Promise(() => {}),
  });
  assert(peer);
  const checked = monitor.check(peer);
  await clock.advance(50);
  assert(!monitor.isSuspect(peer.toString()));
  await clock.advance(5700);
  assert(monitor.isSuspect(peer.toString()));
  assert.deepEqual(counts.evicted, []);
  await clock.advance(300);
  await checked;
  assert.deepEqual(counts.evicted, [peer]);
});

test("an answer that is late clears a peer", async () => {
  const { monitor, clock, counts, peers: [peer] } = await makeMonitor(1, {
    ping: () => clock.sleep(5000),
  });
  assert(peer);
  const checked = monitor.check(peer);
  await clock.advance(4000);
  assert(monitor.isSuspect(peer.toString()));
  await clock.advance(1000);
  await checked;
  assert(!monitor.isSuspect(peer.toString()));
  assert.deepEqual(counts.evicted, []);
  await clock.advance(1000);
  assert.equal(clock.sleeping, 0);
});

test("a silent peer whose host takes none is dead at once", async () => {
  const { monitor, clock, counts, peers: [peer] } = await makeMonitor(1, {
    ping: () => new Promise(() => {}),
    takesConnections: () => Promise.resolve(false),
  });
  assert(peer);
  const checked = monitor.check(peer);
  await clock.advance(750);
  await checked;
  assert.deepEqual(counts.evicted, [peer]);
});

test("a peer that somebody could not reach is suspect until it answers, and checked once", async () => {
  const answer = Promise.withResolvers<void>();
  const { monitor, counts, peers: [peer] } = await makeMonitor(1, { ping: () => answer.promise });
  assert(peer);
  monitor.suspect(peer);
  monitor.suspect(peer);
  assert(monitor.isSuspect(peer.toString()));
  answer.resolve();
  await monitor.check(peer);
  assert(!monitor.isSuspect(peer.toString()));
  assert.deepEqual(counts.evicted, []);
});

test("checks of one peer at the same time are one check", async () => {
  const { monitor, counts, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  await Promise.all([monitor.check(peer), monitor.check(peer), monitor.check(peer)]);
  assert.equal(counts.pings, 1);
});

test("a lost peer is tried ever more rarely, and not for ever", async () => {
  const { monitor, clock, dead, counts, peers: [peer] } = await makeMonitor(1, {}, 10_000);
  assert(peer);
  dead.add(peer);
  monitor.start();
  await clock.advance(60_000);
  assert(counts.dials >= 3, `${counts.dials} tries in the first minute`);
  await clock.advance(9 * 60_000);
  assert(counts.dials <= 50, `${counts.dials} tries in ten minutes`);
  assert.deepEqual(counts.forgotten, []);
  await clock.advance(11 * 60_000);
  const after = counts.dials;
  assert.deepEqual(counts.forgotten, [peer]);
  assert(!monitor.isDown(peer.toString()));
  await clock.advance(5 * 60_000);
  assert.equal(counts.dials, after);
  monitor.stop();
});

test("a peer that is seen again is not down", async () => {
  const { monitor, clock, dead, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  dead.add(peer);
  const checked = monitor.check(peer);
  await clock.advance(500);
  await checked;
  assert(monitor.isDown(peer.toString()));
  monitor.seen(peer);
  assert(!monitor.isDown(peer.toString()));
});

test("many peers are pinged more rarely, each in its turn, so that the load is bounded", async () => {
  const pinged: PeerId[] = [];
  const { monitor, clock, peers } = await makeMonitor(200, {
    ping: (peer) => Promise.resolve(pinged.push(peer)),
  });
  monitor.start();
  await clock.advance(5000);
  assert.equal(pinged.length, 100);
  await clock.advance(5000);
  assert.deepEqual(new Set(pinged), new Set(peers));
  monitor.stop();
});

test("an eviction that fails is logged, not thrown; after stop nothing is checked", async () => {
  const { monitor, clock, dead, counts, peers: [peer] } = await makeMonitor(1, {
    evict: () => Promise.reject(new Error("no")),
  });
  assert(peer);
  dead.add(peer);
  const checked = monitor.check(peer);
  await clock.advance(500);
  await checked;
  const { pings } = counts;
  monitor.stop();
  await monitor.check(peer);
  assert.equal(counts.pings, pings);
});
