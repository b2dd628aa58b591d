import assert from "node:assert/strict";
import type { PeerId, PeerInfo } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { dhtKey } from "../../../lib/router/dht/dht_key.ts";
import { Lookup } from "../../../lib/router/providers/lookup.ts";
import type { LookupSources } from "../../../lib/router/providers/lookup_search.ts";
import { createPeerMapper } from "../../../lib/router/peers/peer_mapper.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { memoryMetrics } from "../../fakes/metrics.ts";
import { test } from "../../support/test.ts";
import { peerIds } from "../ids.ts";

const KEY = dhtKey("docker.io/library/nginx:1.27");
const IDS = await peerIds(30);
const [SELF, A, B, C, D] = IDS;
assert(SELF && A && B && C && D);

function info(id: PeerId): PeerInfo {
  return { id, multiaddrs: [multiaddr("/ip4/10.0.0.1/tcp/5001")] };
}

function makeLookup(
  sources: Partial<LookupSources> = {},
  down: readonly PeerId[] = [],
  doubtful: readonly PeerId[] = down,
) {
  const clock = new FakeClock();
  const metrics = memoryMetrics();
  const calls: string[] = [];
  const { own = () => [], ask = () => Promise.resolve() } = sources;
  const lookup = new Lookup({
    self: SELF as PeerId,
    clock,
    metrics,
    log: new MemoryLog(),
    isDown: (id) => down.some((peer) => peer.toString() === id),
    isDoubtful: (id) => doubtful.some((peer) => peer.toString() === id),
    toPeer: createPeerMapper({ allowLoopback: false, registryPort: 5000, own: () => [] }),
    sources: {
      own(key) {
        calls.push("own");
        return own(key);
      },
      ask(key, seeker) {
        calls.push("ask");
        return ask(key, seeker);
      },
    },
  }, { lookupTimeoutMs: 2000 });
  return { lookup, clock, metrics, calls };
}

async function find(lookup: Lookup, signal = new AbortController().signal): Promise<string[]> {
  return (await Array.fromAsync(lookup.find(KEY, { signal }))).map(({ id }) => id);
}

const ids = (...peers: readonly (PeerId | undefined)[]) => peers.map(String);

test("own records come first, then what peers say, each peer once and never this node", async () => {
  const { lookup, calls } = makeLookup({
    own: () => [info(A), info(SELF)],
    ask(_, { found }) {
      [A, B, SELF, B].map(info).forEach(found);
      return Promise.resolve();
    },
  });
  assert.deepEqual(await find(lookup), ids(A, B));
  assert.deepEqual(calls, ["own", "ask"]);
});

test("nobody is asked when own records are enough", async () => {
  const { lookup, calls } = makeLookup({ own: () => [A, B, C].map(info) });
  assert.deepEqual(await find(lookup), ids(A, B, C));
  assert.deepEqual(calls, ["own"]);
});

test("three holders are enough", async () => {
  let enough: boolean[] = [];
  const { lookup } = makeLookup({
    own: () => [info(A)],
    ask(_, seeker) {
      enough = [A, B, C].map((peer) => {
        seeker.found(info(peer));
        return seeker.enough();
      });
      return Promise.resolve();
    },
  });
  assert.deepEqual(await find(lookup), ids(A, B, C));
  assert.deepEqual(enough, [false, false, true]);
});

test("an answer is used again for five seconds, few holders for one, nothing only for a moment", async () => {
  const hit = makeLookup({ own: () => [A, B, C].map(info) });
  await find(hit.lookup);
  await hit.clock.advance(4999);
  await find(hit.lookup);
  assert.equal(hit.calls.length, 1);
  await hit.clock.advance(1);
  await find(hit.lookup);
  assert.equal(hit.calls.length, 2);
  const few = makeLookup({ own: () => [A, B].map(info) });
  await find(few.lookup);
  await few.clock.advance(999);
  await find(few.lookup);
  assert.equal(few.calls.length, 2);
  await few.clock.advance(1);
  await find(few.lookup);
  assert.equal(few.calls.length, 4);
  const miss = makeLookup();
  await find(miss.lookup);
  await miss.clock.advance(249);
  await find(miss.lookup);
  assert.equal(miss.calls.length, 2);
  await miss.clock.advance(1);
  await find(miss.lookup);
  assert.equal(miss.calls.length, 4);
});

test("all that ask at the same time share one search", async () => {
  const { lookup, calls, metrics } = makeLookup({ own: () => [info(A)] });
  const all = await Promise.all(Array.from({ length: 50 }, () => find(lookup)));
  assert(all.every((found) => found.join() === String(A)));
  assert.deepEqual(calls, ["own", "ask"]);
  assert.equal(metrics.calls.filter(([name]) => name === "resolveDuration").length, 1);
});

test("a peer is yielded when it is found, not when the search ends", async () => {
  const end = Promise.withResolvers<void>();
  const { lookup } = makeLookup({
    ask(_, { found }) {
      found(info(A));
      return end.promise;
    },
  });
  const peers = lookup.find(KEY, new AbortController());
  assert.equal((await peers.next()).value?.id, String(A));
  end.resolve();
  assert.equal((await peers.next()).done, true);
});

test("an abort ends the iteration without an error; the search goes on for others", async () => {
  const end = Promise.withResolvers<void>();
  const { lookup, calls } = makeLookup({
    async ask(_, { found }) {
      await end.promise;
      found(info(A));
    },
  });
  const controller = new AbortController();
  const found = find(lookup, controller.signal);
  const other = find(lookup);
  while (!calls.includes("ask")) await Promise.resolve();
  controller.abort();
  assert.deepEqual(await found, []);
  end.resolve();
  assert.deepEqual(await other, ids(A));
  assert.deepEqual(await find(lookup, AbortSignal.abort()), []);
});

test("dead peers are not yielded, not even remembered ones", async () => {
  const down: PeerId[] = [];
  const { lookup } = makeLookup({ own: () => [A, B, C].map(info) }, down);
  assert.deepEqual(await find(lookup), ids(A, B, C));
  down.push(B);
  assert.deepEqual(await find(lookup), ids(A, C));
});

test("an answer of which nobody answers any more is not used again for long", async () => {
  const doubtful: PeerId[] = [];
  const holders = [info(A as PeerId)];
  const { lookup, clock, calls } = makeLookup({ own: () => holders }, [], doubtful);
  assert.deepEqual(await find(lookup), ids(A));
  holders.push(info(B as PeerId));
  await clock.advance(500);
  assert.deepEqual(await find(lookup), ids(A), "as long as it is good it is remembered");
  doubtful.push(A as PeerId);
  assert.deepEqual(await find(lookup), ids(A, B));
  doubtful.push(B as PeerId);
  const asked = calls.length;
  assert.deepEqual(await find(lookup), ids(A, B));
  assert.equal(calls.length, asked, "a burst of requests makes one search");
  await clock.advance(250);
  await find(lookup);
  assert.ok(calls.length > asked);
});

test("a search that fails ends with what it has", async () => {
  const { lookup } = makeLookup({
    own: () => [info(A)],
    ask: () => Promise.reject(new Error("broken")),
  });
  assert.deepEqual(await find(lookup), ids(A));
});

test("one search yields at most twenty peers; after stop none", async () => {
  const { lookup } = makeLookup({ own: () => IDS.map(info) });
  assert.equal((await find(lookup)).length, 20);
  lookup.stop();
  assert.deepEqual(await find(lookup), []);
});

test("a search that was begun is the one that is followed, and begins no second", async () => {
  const asked = Promise.withResolvers<void>();
  const { lookup, calls } = makeLookup({
    async ask(_, { found }) {
      await asked.promise;
      found(info(A));
    },
  });
  lookup.begin(KEY);
  lookup.begin(KEY);
  assert.deepEqual(calls, ["own", "ask"]);
  const found = find(lookup);
  asked.resolve();
  assert.deepEqual(await found, ids(A));
  assert.equal(calls.length, 2);
  lookup.stop();
  lookup.begin(KEY);
  assert.equal(calls.length, 2);
});
