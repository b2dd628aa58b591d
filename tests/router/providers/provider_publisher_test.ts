import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { type DhtKey, dhtKey, kademliaId } from "../../../lib/router/dht/dht_key.ts";
import type { PlacedKey } from "../../../lib/router/providers/key_placement.ts";
import {
  ProviderPublisher,
  type ProviderPublisherCollaborators,
} from "../../../lib/router/providers/provider_publisher.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

const INTERVAL_MS = 160_000;
const KEYS = Array.from({ length: 100 }, (_, i) => `key ${i}`);
const idOf = (key = "") => dhtKey(key).id;

/** A publisher whose peers note what they are sent. */
async function makePublisher(collaborators: Partial<ProviderPublisherCollaborators> = {}) {
  const clock = new FakeClock();
  const peers = await peerIds(2);
  const sent: { at: number; peer: PeerId; id: string }[] = [];
  const publisher = new ProviderPublisher({
    clock,
    log: new MemoryLog(),
    budget: { breathe: () => Promise.resolve() },
    placement: {
      sharedBits: () => 0,
      belongingTo: (_, keys) => Promise.resolve(keys),
      placeFurther: () => Promise.resolve([]),
      place: <K extends PlacedKey>(keys: readonly K[]) =>
        Promise.resolve(peers.map((peer) => ({ peer, keys }))),
    },
    outbox: () => ({
      send(peer: PeerId, keys: Iterable<DhtKey>) {
        for (const { id } of keys) sent.push({ at: clock.now(), peer, id });
        return Promise.resolve();
      },
      stop() {},
    }),
    ...collaborators,
  }, { reprovideIntervalMs: INTERVAL_MS });
  return { publisher, clock, peers, sent };
}

test("new keys go out at once to everyone they belong to, and only once", async () => {
  const { publisher, sent } = await makePublisher();
  await publisher.advertise(KEYS);
  assert.equal(sent.length, 200);
  await publisher.advertise(KEYS);
  assert.equal(sent.length, 200);
  assert(KEYS.every((key) => publisher.provides(idOf(key))));
  publisher.stop();
});

test("each key is announced anew once an interval, spread over it", async () => {
  const { publisher, clock, sent } = await makePublisher();
  await publisher.advertise(KEYS);
  sent.length = 0;
  publisher.start();
  await clock.advance(INTERVAL_MS + 1);
  assert.equal(sent.length, 200);
  assert.equal(new Set(sent.map(({ id }) => id)).size, 100);
  assert(new Set(sent.map(({ at }) => at)).size > 8, "in several portions");
  publisher.stop();
  await clock.advance(INTERVAL_MS);
  assert.equal(sent.length, 200);
  assert.equal(clock.sleeping, 0);
});

test("withdrawn keys are neither provided nor announced anew", async () => {
  const { publisher, clock, sent } = await makePublisher();
  await publisher.advertise(KEYS);
  publisher.withdraw(KEYS.slice(1));
  assert.equal(publisher.provides(idOf(KEYS[1])), false);
  sent.length = 0;
  publisher.start();
  await clock.advance(INTERVAL_MS);
  assert.deepEqual(new Set(sent.map(({ id }) => id)), new Set([idOf(KEYS[0])]));
  publisher.stop();
});

test("a peer that joins is told all keys within a second, however often it joins", async () => {
  const { publisher, clock, peers: [peer], sent } = await makePublisher();
  assert(peer);
  await publisher.advertise(KEYS);
  sent.length = 0;
  publisher.peerJoined(peer);
  publisher.peerJoined(peer);
  await clock.advance(1000);
  assert.equal(sent.length, 100);
  for (let i = 0; i < 10; i++) {
    publisher.peerJoined(peer);
    await clock.advance(500);
  }
  assert.equal(sent.length, 100);
  await clock.advance(10_000);
  assert.equal(sent.length, 200);
  publisher.stop();
});

test("a peer that left and came back is told again at once", async () => {
  const { publisher, clock, peers: [peer], sent } = await makePublisher();
  assert(peer);
  await publisher.advertise(KEYS);
  publisher.peerJoined(peer);
  await clock.advance(1000);
  publisher.peerLeft(peer);
  sent.length = 0;
  publisher.peerJoined(peer);
  await clock.advance(1000);
  assert.equal(sent.length, 100);
  publisher.stop();
});

test("a peer that joins is told only the keys that belong to it", async () => {
  const { publisher, clock, peers: [peer], sent } = await makePublisher({
    placement: {
      sharedBits: () => 1,
      belongingTo: (_, keys) => Promise.resolve(keys.filter(({ id }) => id !== idOf("key 7"))),
      placeFurther: () => Promise.resolve([]),
      place: () => Promise.resolve([]),
    },
  });
  assert(peer);
  await publisher.advertise(KEYS);
  publisher.peerJoined(peer);
  await clock.advance(1000);
  const side = (bytes: Uint8Array) => (kademliaId(bytes)[0] ?? 0) >> 7;
  const own = side(peer.toMultihash().bytes);
  const near = KEYS.filter((key) => side(dhtKey(key).multihash) === own && key !== "key 7");
  assert.deepEqual(sent.map(({ id }) => id).sort(), near.map(idOf).sort());
  publisher.stop();
});

test("advertise does not wait for a peer that takes its time, nor reject for one that fails", async () => {
  const slow = await makePublisher({
    outbox: () => ({ send: () => new Promise<void>(() => {}), stop() {} }),
  });
  let handed = false;
  const advertised = slow.publisher.advertise(KEYS).then(() => handed = true);
  await slow.clock.advance(999);
  assert.equal(handed, false);
  await slow.clock.advance(1);
  await advertised;
  slow.publisher.stop();
  const failing = await makePublisher({
    placement: {
      sharedBits: () => 0,
      belongingTo: (_, keys) => Promise.resolve(keys),
      placeFurther: () => Promise.resolve([]),
      place: () => Promise.reject(new Error("no")),
    },
  });
  await failing.publisher.advertise(KEYS);
  assert.equal(failing.clock.sleeping, 0);
  failing.publisher.stop();
});
