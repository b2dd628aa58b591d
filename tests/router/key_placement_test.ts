import assert from "node:assert/strict";
import type { PeerId } from "@libp2p/interface";
import { dhtKey, kademliaId } from "../../lib/router/dht_key.ts";
import type { DhtQueries } from "../../lib/router/host.ts";
import { KeyPlacement } from "../../lib/router/key_placement.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";
import { peerIds } from "./ids.ts";

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

function makePlacement(known: readonly PeerId[], found: readonly PeerId[], self: PeerId) {
  let lookups = 0;
  const query: Pick<DhtQueries, "getClosestPeers"> = {
    async *getClosestPeers() {
      lookups++;
      for (const id of found) {
        yield await Promise.resolve({
          name: "FINAL_PEER" as const,
          type: 2,
          from: id,
          peer: { id, multiaddrs: [] },
          path: { index: 0, queued: 0, running: 0, total: 0 },
        });
      }
    },
  };
  const placement = new KeyPlacement({
    self,
    query,
    log: new MemoryLog(),
    table: {
      size: known.length,
      closestPeers: (key, options) => nearest(known, key, options?.count ?? 20),
    },
  });
  return { placement, lookups: () => lookups };
}

test("in a small network everyone keeps everything, and nobody is looked up", async () => {
  const [self, ...peers] = await peerIds(21);
  assert(self);
  const { placement, lookups } = makePlacement(peers, [], self);
  const parcels = await placement.place(KEYS, { signal });
  assert.deepEqual(parcels.map(({ keys }) => keys.length), peers.map(() => 30));
  assert.equal(lookups(), 0);
  assert(peers.every((peer) => placement.belongsTo(KEYS[0]?.kademliaId ?? assert.fail(), peer)));
});

test("in a larger one each key goes to the 20 nearest, after one lookup", async () => {
  const [self, ...peers] = await peerIds(101);
  assert(self);
  const { placement, lookups } = makePlacement(
    peers.slice(0, 40),
    [...peers.slice(30), self],
    self,
  );
  const parcels = await placement.place(KEYS, { signal });
  assert.equal(lookups(), 1);
  for (const key of KEYS) {
    const keepers = parcels.filter(({ keys }) => keys.includes(key)).map(({ peer }) => peer);
    assert.deepEqual(
      keepers.map(String).sort(),
      nearest(peers, key.kademliaId, 20).map(String).sort(),
    );
  }
});

test("in a larger one a peer concerns the keys that it is near to", async () => {
  const [self, ...peers] = await peerIds(101);
  const key = KEYS[0]?.kademliaId;
  assert(self && key);
  const { placement } = makePlacement(peers, [], self);
  const concerned = peers.filter((peer) => placement.belongsTo(key, peer));
  assert.deepEqual(concerned.map(String).sort(), nearest(peers, key, 20).map(String).sort());
});

test("a lookup that fails leaves the peers that are known; no keys make no parcels", async () => {
  const [self, ...peers] = await peerIds(31);
  assert(self);
  const { placement } = makePlacement(peers, [], self);
  assert.equal((await placement.place(KEYS.slice(0, 1), { signal })).length, 20);
  assert.deepEqual(await placement.place([], { signal }), []);
});
