import assert from "node:assert/strict";
import { peerIdFromMultihash } from "@libp2p/peer-id";
import * as Multihash from "multiformats/hashes/digest";
import { decodePeer, encodeMessage, MESSAGE_TYPE } from "../../lib/router/dht/dht_message.ts";
import { eventually } from "../support/eventually.ts";
import { test } from "../support/test.ts";
import { Cluster, findsExactly, lookupAll } from "./cluster.ts";
import { RawPeer } from "./raw_peer.ts";

const KEY = "docker.io/library/nginx:1.27";
const DIGEST = `sha256:${"a1".repeat(32)}`;

test("a flooder: what it stores is bounded, and honest keys are still taken and found", async () => {
  const limits = { maxRecords: 2000, maxRecordsPerPeer: 500 };
  await using cluster = await Cluster.of(2, limits);
  const [a, b] = cluster.nodes;
  assert(a && b);
  await a.router.advertise([KEY]);
  await findsExactly(b, KEY, [a]);
  const flood = Array.from({ length: 1500 }, (_, i) => `flood ${i}`);
  // Seven identities: more records than fit in all.
  for (let i = 0; i < 7; i++) {
    await using flooder = await RawPeer.of(b);
    await flooder.addProvider(flood, ["/ip4/127.0.0.1/tcp/5001"]);
  }
  assert(b.router.recordCount <= 2000, `${b.router.recordCount} records`);
  assert(b.router.recordCount > 1000, "the flood did arrive");
  await a.router.advertise([DIGEST]);
  await findsExactly(b, KEY, [a]);
  await findsExactly(b, DIGEST, [a]);
});

const REFUSED: [string, readonly string[]][] = [
  ["no address", []],
  ["an unspecified address", ["/ip4/0.0.0.0/tcp/5001"]],
  ["a link-local address", ["/ip4/169.254.169.254/tcp/80"]],
  ["a name that would have to be resolved", ["/dns4/metadata.internal/tcp/80"]],
  ["a unix socket", ["/unix/var%2Frun%2Fdocker.sock"]],
];
test("a record is refused that has", async (t) => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await using peer = await RawPeer.of(a);
  for (const [what, addresses] of REFUSED) {
    await t.step(what, async () => {
      await peer.addProvider([KEY], addresses);
      assert.equal(a.router.recordCount, 0);
    });
  }
});

test("loopback addresses in records are refused unless they are allowed", async () => {
  await using cluster = new Cluster();
  for (const allowLoopback of [true, false]) {
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr;
    probe.close();
    const node = await cluster.add([], { listen: { host: "127.0.0.1", port }, allowLoopback });
    await using peer = await RawPeer.of([`/ip4/127.0.0.1/tcp/${port}`]);
    await peer.addProvider([KEY], ["/ip4/127.0.0.1/tcp/5001", "/ip6/::1/tcp/22"]);
    assert.equal(node.router.recordCount, allowLoopback ? 1 : 0);
  }
});

test("a record never says which port pulls go to", async () => {
  await using cluster = new Cluster();
  const node = await cluster.add([], { registryPort: 5000 });
  await using peer = await RawPeer.of(node);
  await peer.addProvider([KEY], ["/ip4/10.0.0.9/tcp/6443"]);
  const [found] = await lookupAll(node, KEY);
  assert.deepEqual(found, { id: peer.id, addresses: ["10.0.0.9"], registryPort: 5000 });
});

test("nobody can say for another peer that it holds something", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await using liar = await RawPeer.of(a);
  await using victim = await RawPeer.of(a);
  await liar.addProvider([KEY], ["/ip4/127.0.0.1/tcp/5001"], victim.multihash);
  assert.equal(a.router.recordCount, 0);
});

test("what a peer says of itself counts, whatever an answer says of it", async () => {
  await using cluster = await Cluster.of(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  await b.router.advertise([KEY]);
  await eventually("b is found", async () => (await lookupAll(a, KEY)).length === 1);
  await using peer = await RawPeer.of(a);
  const { providers } = await peer.getProviders(KEY);
  const [told] = providers.map(decodePeer);
  assert.equal(
    String(peerIdFromMultihash(Multihash.decode(told?.id ?? assert.fail()))),
    b.router.id,
  );
  assert.deepEqual((await lookupAll(a, KEY))[0]?.addresses, ["127.0.0.1"]);
});

test("an own key names this node, a withdrawn one at once no longer", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await using peer = await RawPeer.of(a);
  await a.router.advertise([KEY]);
  assert.equal((await peer.getProviders(KEY)).providers.length, 1);
  assert.equal(a.router.recordCount, 0, "own keys are kept apart");
  await a.router.withdraw([KEY]);
  assert.equal((await peer.getProviders(KEY)).providers.length, 0);
});

test("messages that make no sense cost their sender the stream, nothing else", async () => {
  await using cluster = await Cluster.of(1);
  const [a] = cluster.nodes;
  assert(a);
  await using peer = await RawPeer.of(a);
  const nonsense = [
    encodeMessage({ type: 0, key: new Uint8Array(34) }),
    encodeMessage({ type: MESSAGE_TYPE.getProviders }),
    encodeMessage({ type: MESSAGE_TYPE.getProviders, key: new Uint8Array(67) }),
    Uint8Array.of(3, 0x12, 5, 1),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  ];
  for (const message of nonsense) await assert.rejects(peer.ask(message));
  assert.equal((await peer.getProviders(KEY)).providers.length, 0);
});
