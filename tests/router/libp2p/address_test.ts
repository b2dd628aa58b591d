import assert from "node:assert/strict";
import { multiaddr } from "@multiformats/multiaddr";
import { isLoopback } from "../../../lib/net/ip.ts";
import { isUsableIp, toIpPort, toMultiaddrString } from "../../../lib/router/libp2p/address.ts";
import { test } from "../../support/test.ts";

const ID = "12D3KooWEy9KWfkVHDvQNu2HnsBstNEJ6HPijJnsKepor4jQ51AG";

const FORMS: [string, { ip: string; port: number } | undefined][] = [
  ["/ip4/10.0.0.1/tcp/5001", { ip: "10.0.0.1", port: 5001 }],
  [`/ip4/10.0.0.1/tcp/5001/p2p/${ID}`, { ip: "10.0.0.1", port: 5001 }],
  ["/ip6/2001:db8::1/tcp/5001", { ip: "2001:db8::1", port: 5001 }],
  ["/ip4/10.0.0.1", undefined],
  ["/ip4/10.0.0.1/udp/5001", undefined],
  ["/ip4/10.0.0.1/tcp/0", undefined],
  ["/ip4/10.0.0.1/udp/5001/quic-v1", undefined],
  ["/dns4/example.com/tcp/5001", undefined],
  ["/ip4/10.0.0.1/tcp/5001/ws", undefined],
  [`/ip4/10.0.0.1/tcp/5001/p2p/${ID}/p2p-circuit`, undefined],
  ["/unix/%2Fvar%2Frun%2Fx.sock", undefined],
];

for (const [text, wanted] of FORMS) {
  test(`${text} is ${wanted === undefined ? "no" : "an"} address of a peer`, () => {
    assert.deepEqual(toIpPort(multiaddr(text)), wanted);
  });
}

const IPS: [string, "always" | "loopback" | "never"][] = [
  ["10.0.0.1", "always"],
  ["192.168.1.1", "always"],
  ["100.64.0.1", "always"],
  ["198.18.0.1", "always"],
  ["8.8.8.8", "always"],
  ["2001:db8::1", "always"],
  ["fd00::1", "always"],
  ["127.0.0.1", "loopback"],
  ["127.1.2.3", "loopback"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["0.0.0.0", "never"],
  ["::", "never"],
  ["169.254.169.254", "never"],
  ["fe80::1", "never"],
  ["febf::1", "never"],
  ["224.0.0.1", "never"],
  ["239.255.255.250", "never"],
  ["ff02::1", "never"],
  ["255.255.255.255", "never"],
  ["::ffff:127.0.0.1", "never"],
  ["::ffff:10.0.0.1", "never"],
  ["example.com", "never"],
  ["", "never"],
];

for (const [ip, when] of IPS) {
  test(`${ip || "nothing"} is usable: ${when}`, () => {
    assert.equal(isUsableIp(ip, { allowLoopback: true }), when !== "never");
    assert.equal(isUsableIp(ip, { allowLoopback: false }), when === "always");
  });
}

test("only loopback addresses are loopback", () => {
  assert.deepEqual(["127.0.0.1", "::1", "10.0.0.1", "", "localhost"].map(isLoopback), [
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("addresses are written as multiaddrs that read back", () => {
  for (const address of [{ ip: "10.0.0.1", port: 1 }, { ip: "2001:db8::1", port: 65535 }]) {
    assert.deepEqual(toIpPort(multiaddr(toMultiaddrString(address))), address);
  }
});
