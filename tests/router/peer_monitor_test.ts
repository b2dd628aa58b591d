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
  const counts = { pings: 0, dials: 0, offers: 0, evicted: [] as PeerId[] };
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

test("a peer that misses two pings is evicted, and down until it is back", async () => {
  const { monitor, clock, dead, counts, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  dead.add(peer);
  monitor.start();
  await clock.advance(2000);
  assert.equal(counts.pings, 2);
  assert.deepEqual(counts.evicted, [peer]);
  assert(monitor.isDown(peer.toString()));
  dead.delete(peer);
  await clock.advance(2000);
  assert.equal(counts.dials, 1);
  assert(!monitor.isDown(peer.toString()));
  monitor.stop();
});

test("one lost ping proves nothing", async () => {
  let pings = 0;
  const { monitor, counts, peers: [peer] } = await makeMonitor(1, {
    ping: () => ++pings === 1 ? Promise.reject(new Error("busy")) : Promise.resolve(),
  });
  assert(peer);
  await monitor.check(peer);
  assert.equal(pings, 2);
  assert.deepEqual(counts.evicted, []);
});

test("a frozen peer is given up by the deadline", async () => {
  const { monitor, counts, peers: [peer] } = await makeMonitor(1, {
    ping: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  });
  assert(peer);
  await monitor.check(peer);
  assert.deepEqual(counts.evicted, [peer]);
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
  assert(!monitor.isDown(peer.toString()));
  await clock.advance(5 * 60_000);
  assert.equal(counts.dials, after);
  monitor.stop();
});

test("a peer that is seen again is not down", async () => {
  const { monitor, dead, peers: [peer] } = await makeMonitor(1);
  assert(peer);
  dead.add(peer);
  await monitor.check(peer);
  assert(monitor.isDown(peer.toString()));
  monitor.seen(peer);
  assert(!monitor.isDown(peer.toString()));
});

test("many peers are pinged more rarely, so that the load is bounded", async () => {
  const { monitor, clock, counts } = await makeMonitor(200);
  monitor.start();
  await clock.advance(9999);
  assert.equal(counts.pings, 0);
  await clock.advance(1);
  assert.equal(counts.pings, 200);
  monitor.stop();
});

test("an eviction that fails is logged, not thrown; after stop nothing is checked", async () => {
  const { monitor, dead, counts, peers: [peer] } = await makeMonitor(1, {
    evict: () => Promise.reject(new Error("no")),
  });
  assert(peer);
  dead.add(peer);
  await monitor.check(peer);
  assert.equal(counts.pings, 2);
  monitor.stop();
  await monitor.check(peer);
  assert.equal(counts.pings, 2);
});
