import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { dhtKey } from "../../lib/router/dht_key.ts";
import { createHost } from "../../lib/router/host.ts";
import { loadIdentity } from "../../lib/router/identity.ts";
import { resolveRouterOptions } from "../../lib/router/options.ts";
import { replaceProviderRecords } from "../../lib/router/provider_records.ts";
import { ProviderStore } from "../../lib/router/provider_store.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test as baseTest } from "../support/test.ts";
import { peerIds } from "./ids.ts";
import { systemClock } from "../../lib/async/clock.ts";
import "./cluster.ts";

/** The library's queues (it-queue) say that they are empty by a timer that nothing can cancel. */
const LIBRARY_TIMERS_MS = 20;

function test(name: string, run: () => Promise<void>): void {
  baseTest(name, async () => {
    await run();
    await systemClock.sleep(LIBRARY_TIMERS_MS);
  });
}

const KEY = dhtKey("docker.io/library/nginx:1.27");

/** A host that is never started, with our records in the place of the library's. */
async function makeRecords(own: readonly string[], down: readonly PeerId[] = []) {
  const options = resolveRouterOptions({
    listen: { host: "127.0.0.1", port: 0 },
    registryPort: 5000,
  });
  const host = await createHost(await loadIdentity(), options);
  const store = new ProviderStore<PeerId>({ clock: new FakeClock() }, {
    ttlMs: 1000,
    maxRecords: 10,
    maxRecordsPerProvider: 5,
    maxProvidersPerKey: 10,
    maxAnswer: 20,
    maxKeyLength: 88,
  });
  const provides = (id: string) => own.includes(id);
  const isDown = (id: string) => down.some((peer) => peer.toString() === id);
  replaceProviderRecords({ host, store, provides, isDown });
  await host.node.peerStore.patch(host.node.peerId, { multiaddrs: [] });
  return { records: host.dht.providers, host, store, self: host.node.peerId };
}

test("asked for an own key, the node names itself; for a withdrawn one not", async () => {
  const own = [KEY.id];
  const { records, self } = await makeRecords(own);
  assert.deepEqual((await records.getProviders(KEY.cid)).map(String), [self.toString()]);
  own.pop();
  assert.deepEqual(await records.getProviders(KEY.cid), []);
});

test("own keys never reach the store that the library might announce from", async () => {
  const { records, store, self } = await makeRecords([]);
  await records.addProvider(KEY.cid, self);
  assert.equal(store.size, 0);
});

test("others are named as long as they are known and alive; floods are capped", async () => {
  const [known, unknown, dead] = await peerIds(3);
  assert(known && unknown && dead);
  const { records, host, store } = await makeRecords([], [dead]);
  for (const peer of [known, dead]) await host.node.peerStore.patch(peer, { multiaddrs: [] });
  for (const peer of [known, unknown, dead]) await records.addProvider(KEY.cid, peer);
  assert.deepEqual((await records.getProviders(KEY.cid)).map(String), [known.toString()]);
  for (let i = 0; i < 100; i++) await records.addProvider(dhtKey(`${i}`).cid, known);
  assert.equal(store.size, 7);
  await records.removeProvider(KEY.cid, known);
  assert.deepEqual(await records.getProviders(KEY.cid), []);
});
