import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { type PeerActions, PeerMonitor } from "../../lib/router/peer_monitor.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { peerIds } from "./ids.ts";

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
      addresses: () => Promise.resolve([]),
      dial(peer) {
        counts.dials++;
        return answer(peer);
      },
      offerStrangers() {
        counts.offers++;
        return Promise.resolve();
      },
      evict(peer) {
        known.delete(peer);
        counts.evicted.push(peer);
        return Promise.resolve();
      },
      forget(peer) {
        counts.forgotten.push(peer);
        return Promise.resolve();
      },
      ...actions,
    },
  }, { pingIntervalMs, pingTimeoutMs: 50 });
  return { monitor, clock, known, dead, counts, peers: [...known] };
}

test("a peer that answers stays", async () => {
  const { monitor, clock, counts } = await makeMonitor(4);
  monitor.start();
  await clock.advance(6000);
  assert.equal(counts.pings, 12);
  assert.equal(counts.offers, 3, "connected peers that the table lacks are offered each round");
  assert.deepEqual(counts.evicted, []);
  monitor.stop();
  await clock.advance(0);
  assert.equal(clock.sleeping, 0);
});

test("a peer that misses two pings is evicted, and down until it is back", async () => {
  const { monitor, clock, dead, counts, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  dead.add(peer);
  monitor.start();
  await clock.advance(2000);
  assert(monitor.isSuspect(peer.toString()));
  await clock.advance(100);
  assert.equal(counts.pings, 2);
  assert.deepEqual(counts.evicted, [peer]);
  assert(!monitor.isSuspect(peer.toString()));
  assert(monitor.isDown(peer.toString()));
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
  await clock.advance(50);
  await checked;
  assert.equal(pings, 2);
  assert.deepEqual(counts.evicted, []);
});

test("a silent peer is suspect at once, and given up after five seconds, not before", async () => {
  const { monitor, clock, counts, peers: [peer] } = await makeMonitor(1, {
    // Takes as long as a ping's deadline, by the test's clock.
    ping: () => clock.sleep(1000).then(() => Promise.reject(new Error("timeout"))),
  });
  assert(peer);
  monitor.suspect(peer);
  assert(monitor.isSuspect(peer.toString()));
  await clock.advance(4900);
  assert.deepEqual(counts.evicted, []);
  assert(monitor.isSuspect(peer.toString()));
  await clock.advance(1100);
  assert.deepEqual(counts.evicted, [peer]);
});

test("a ping that hangs ends with its deadline", async () => {
  let pings = 0;
  const { monitor, clock, peers: [peer] } = await makeMonitor(1, {
    ping: (_, { signal }) =>
      ++pings === 2 ? Promise.resolve() : new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  });
  assert(peer);
  const checked = monitor.check(peer);
  while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await clock.advance(50);
  await checked;
  assert.equal(pings, 2);
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
  assert(counts.dials <= 24, `${counts.dials} tries in ten minutes`);
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
  await clock.advance(100);
  await checked;
  assert(monitor.isDown(peer.toString()));
  monitor.seen(peer);
  assert(!monitor.isDown(peer.toString()));
});

test("many peers are pinged more rarely, each in its turn, so that the load is bounded", async () => {
  const pinged: PeerId[] = [];
  const { monitor, clock, peers } = await makeMonitor(50, {
    ping: (peer) => Promise.resolve(pinged.push(peer)),
  });
  monitor.start();
  await clock.advance(10_000);
  assert.equal(pinged.length, 50);
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
  await clock.advance(100);
  await checked;
  assert.equal(counts.pings, 2);
  monitor.stop();
  await monitor.check(peer);
  assert.equal(counts.pings, 2);
});
