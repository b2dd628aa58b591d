import assert from "node:assert/strict";
import { noise } from "@chainsafe/libp2p-noise";
import { protocolOf } from "../../../lib/router/libp2p/closed_network.ts";
import { noiseCrypto } from "../../../lib/router/libp2p/noise_crypto.ts";
import { eventually } from "../../support/eventually.ts";
import { test } from "../../support/test.ts";
import { addressesOf, Cluster, findsExactly, type TestNode } from "../cluster.ts";
import { RawPeer } from "../raw_peer.ts";

const DIGEST = `sha256:${"c1".repeat(32)}`;
const [OLD, NEW, OTHER] = ["o", "n", "x"].map((letter) => letter.repeat(44)) as [
  string,
  string,
  string,
];
const WARNING = /--dht-closed/;

/** Dials in the background until the node says that it is refused. */
async function isRefused(node: TestNode): Promise<void> {
  await eventually(
    "it is refused",
    () => node.log.lines.some((line) => WARNING.test(line.message)),
  );
  assert.deepEqual(node.router.peers(), []);
}

test("closed network: with the secret nodes find each other; without it, or with another, nobody joins", async () => {
  await using cluster = new Cluster();
  const first = await cluster.add([], { secrets: [OLD] });
  const second = await cluster.add(addressesOf(first), { secrets: [OLD] });
  await cluster.meshed();
  await first.router.advertise([DIGEST]);
  await findsExactly(second, DIGEST, [first]);

  const wrong = await cluster.add(addressesOf(first), { secrets: [OTHER] });
  const open = await cluster.add(addressesOf(first));
  await isRefused(wrong);
  await isRefused(open);
  // The other way round: who has the secret does not take a stranger for a peer either.
  const hopeful = await cluster.add([...addressesOf(open), ...addressesOf(wrong)], {
    secrets: [OLD],
  });
  await isRefused(hopeful);
  for (const { router } of [first, second]) assert.equal(router.peers().length, 1);
});

test("closed network: a peer that ends connections is not taken for one with another key", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using cluster = new Cluster();
  const address = `/ip4/127.0.0.1/tcp/${listener.addr.port}`;
  const adding = cluster.add([address], { secrets: [OLD] });
  for (let connections = 0; connections < 3; connections++) {
    const socket = await listener.accept();
    // One ends at once, the others in the middle of what they say.
    if (connections > 0) await socket.write(new TextEncoder().encode("\x13/multistream/1.0.0\n"));
    socket.close();
  }
  const { log } = await adding;
  const isTold = () => log.lines.some(({ message }) => /cannot be reached/.test(message));
  await eventually("it is said that it cannot be reached", isTold);
  assert.deepEqual(log.lines.filter(({ message }) => WARNING.test(message)), []);
});

test("closed network: the name of the secret's protocol alone opens nothing", async () => {
  await using cluster = new Cluster();
  const first = await cluster.add([], { secrets: [OLD] });
  const wearing = (name: string, prologueBytes?: Uint8Array): ReturnType<typeof noise> => (parts) =>
    Object.assign(
      noise({ crypto: noiseCrypto(), ...(prologueBytes && { prologueBytes }) })(parts),
      { protocol: name },
    );
  for (const prologue of [undefined, new Uint8Array(32)]) {
    await using liar = await RawPeer.of(first, wearing(protocolOf(OLD), prologue));
    await assert.rejects(liar.getProviders(DIGEST));
  }
  assert.equal(first.router.connectionCount, 0);
});

test("closed network: a secret is replaced on one node after the other, and all meet meanwhile", async () => {
  await using cluster = new Cluster();
  for (const secrets of [[OLD], [OLD, NEW], [NEW, OLD]]) {
    await cluster.add(undefined, { secrets });
  }
  const [old, both, turned] = cluster.nodes;
  assert(old && both && turned);
  await cluster.meshed();
  both.router.replaceSecrets([NEW, OLD]);
  turned.router.replaceSecrets([NEW]);
  const late = await cluster.add(addressesOf(both), { secrets: [NEW] });
  await eventually("who has only the old one is out", () => {
    const known = (node: TestNode) => node.router.peers().map(({ id }) => id);
    return !known(turned).includes(old.router.id) && known(late).includes(turned.router.id) &&
      known(both).includes(old.router.id);
  });
  old.router.replaceSecrets([NEW]);
  await cluster.meshed();
});

test("closed network: secrets cannot come to a network that was made open", async () => {
  await using cluster = new Cluster();
  const open = await cluster.add([]);
  assert.throws(() => open.router.replaceSecrets([OLD]), /without secrets/);
});
