import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { multiaddr } from "@multiformats/multiaddr";
import { isLoopback } from "../../../lib/net/ip.ts";
import { decideListening } from "../../../lib/router/libp2p/listen.ts";
import { eventually } from "../../support/eventually.ts";
import { test } from "../../support/test.ts";
import { Cluster, findsExactly, makeNode } from "../cluster.ts";

const everywhere = { host: "", port: 5001 };

for (
  const [sockets, wanted] of [
    ["both", ["/ip6/::/tcp/5001"]],
    ["ipv6", ["/ip6/::/tcp/5001", "/ip4/0.0.0.0/tcp/5001"]],
    ["none", ["/ip4/0.0.0.0/tcp/5001"]],
  ] as const
) {
  test(`a router without a host, where IPv6 sockets take ${sockets}`, async () => {
    const { addresses } = await decideListening(everywhere, () => Promise.resolve(sockets));
    assert.deepEqual(addresses, wanted);
  });
}

for (
  const [host, wanted] of [
    ["localhost", "/ip4/127.0.0.1/tcp/1"],
    ["10.0.0.1", "/ip4/10.0.0.1/tcp/1"],
    ["[fd00::1]", "/ip6/fd00::1/tcp/1"],
  ] as const
) {
  test(`a router on ${host}`, async () => {
    const { addresses, complete } = await decideListening({ host, port: 1 });
    assert.deepEqual(addresses, [wanted]);
    assert.deepEqual(complete([multiaddr(wanted)]).map(String), [wanted]);
  });
}

test("a router on a name is refused", async () => {
  await assert.rejects(decideListening({ host: "eddy.example", port: 1 }), /want an IP address/);
});

test("one socket for both families is announced with the addresses of both", async () => {
  const { complete } = await decideListening(everywhere, () => Promise.resolve("both"));
  assert.deepEqual(complete([]), [], "before it listens");
  const ipv4 = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
    .filter(({ family }) => family === "IPv4")
    .map(({ address }) => `/ip4/${address}/tcp/5001`);
  const found = complete([multiaddr("/ip6/fd00::1/tcp/5001")]).map(String);
  assert.deepEqual(new Set(found), new Set([...ipv4, "/ip6/fd00::1/tcp/5001"]));
});

test("a router that listens everywhere is reached by IPv4 and by IPv6", async () => {
  await using cluster = new Cluster();
  const port = freePort();
  const options = { listen: { host: "", port }, allowLoopback: true };
  const node = await makeNode([], options);
  cluster.nodes.push(node);
  await node.router.start();
  const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");
  const ways = ["127.0.0.1", ...hasIpv6 ? ["[::1]"] : []];
  const key = `sha256:${"b2".repeat(32)}`;
  await node.router.advertise([key]);
  for (const host of ways) {
    const other = await cluster.add([`${host}:${port}`]);
    await eventually(`${host} is met`, () => other.router.peers().length > 0);
    await findsExactly(other, key, [node]);
  }
  // Whoever came by IPv4 has an IPv4 address, and is not taken for somebody else.
  const seen = node.router.peers().flatMap(({ addresses }) => addresses);
  assert(seen.every((ip) => !ip.startsWith("::ffff:")), seen.join(" "));
  assert(seen.every(isLoopback), seen.join(" "));
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
