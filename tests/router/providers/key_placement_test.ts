import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { dhtKey, kademliaId } from "../../../lib/router/dht/dht_key.ts";
import {
  KeyPlacement,
  type Parcel,
  type PlacedKey,
} from "../../../lib/router/providers/key_placement.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

const { signal } = new AbortController();
const KEYS = Array.from({ length: 30 }, (_, i) => dhtKey(`key ${i}`)).map((key) => ({
  ...key,
  kademliaId: kademliaId(key.multihash),
}));

/** The specification's distance, as a number. */
function xor(peer: PeerId, key: Uint8Array): bigint {
  return kademliaId(peer.toMultihash().bytes)
    .reduce((sum, byte, i) => sum * 256n + BigInt(byte ^ (key[i] ?? 0)), 0n);
}

function nearest(peers: readonly PeerId[], key: Uint8Array, count: number): PeerId[] {
  return [...peers].sort((a, b) => xor(a, key) < xor(b, key) ? -1 : 1).slice(0, count);
}

function makePlacement(known: readonly PeerId[], found: readonly PeerId[]) {
  let lookups = 0;
  const clock = new FakeClock();
  const placement = new KeyPlacement({
    closest() {
      lookups++;
      return Promise.resolve(found);
    },
    clock,
    budget: { breathe: () => Promise.resolve() },
    table: {
      size: known.length,
      positioned: () =>
        known.map((peer) => ({ peer, position: kademliaId(peer.toMultihash().bytes) })),
    },
  });
  return { placement, clock, lookups: () => lookups };
}

function keepersOf(key: PlacedKey, parcels: readonly Parcel<PlacedKey>[]): string[] {
  return parcels.filter(({ keys }) => keys.includes(key)).map(({ peer }) => peer.toString()).sort();
}

test("in a small network everyone keeps everything, and nobody is looked up", async () => {
  const peers = await peerIds(20);
  const { placement, lookups } = makePlacement(peers, []);
  const parcels = await placement.place(KEYS);
  assert.deepEqual(await placement.placeFurther(KEYS, { signal }), []);
  assert.deepEqual(parcels.map(({ keys }) => keys.length), peers.map(() => 30));
  assert.equal(lookups(), 0);
  for (const peer of peers) assert.equal(await placement.belongingTo(peer, KEYS), KEYS);
});

test("in a larger one each key goes to the 20 nearest, those found by a lookup a region too", async () => {
  const peers = await peerIds(100);
  const { placement, clock, lookups } = makePlacement(peers.slice(0, 40), peers.slice(30));
  const regions = new Set(KEYS.map(({ kademliaId: [first = 0] }) => first >> 4));
  const known = await placement.place(KEYS);
  assert.equal(lookups(), 0);
  for (const key of KEYS) {
    assert.deepEqual(
      keepersOf(key, known),
      nearest(peers.slice(0, 40), key.kademliaId, 20).map(String).sort(),
    );
  }
  const further = await placement.placeFurther(KEYS, { signal });
  assert.equal(lookups(), regions.size);
  for (const key of KEYS) {
    const keepers = nearest(peers, key.kademliaId, 20).filter((peer) => peers.indexOf(peer) >= 40);
    assert.deepEqual(keepersOf(key, further), keepers.map(String).sort());
  }
  await placement.placeFurther(KEYS, { signal });
  assert.equal(lookups(), regions.size, "what was found is used again");
  await clock.advance(60_000);
  await placement.placeFurther(KEYS, { signal });
  assert.equal(lookups(), 2 * regions.size, "and looked up anew later");
});

test("in a larger one a peer is told the keys that it is near to", async () => {
  const peers = await peerIds(100);
  const { placement } = makePlacement(peers, []);
  for (const peer of peers.slice(0, 10)) {
    assert.deepEqual(
      await placement.belongingTo(peer, KEYS),
      KEYS.filter(({ kademliaId }) => nearest(peers, kademliaId, 20).includes(peer)),
    );
  }
});

test("a lookup that fails leaves the peers that are known; no keys make no parcels", async () => {
  const peers = await peerIds(30);
  const { placement } = makePlacement(peers, []);
  assert.equal((await placement.place(KEYS.slice(0, 1))).length, 20);
  assert.deepEqual(await placement.place([]), []);
});
