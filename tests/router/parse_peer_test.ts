import assert from "node:assert/strict";
import { type NamedPeer, parsePeer } from "../../lib/router/bootstrap/parse_peer.ts";
import { test } from "../support/test.ts";

const ID = "12D3KooWEy9KWfkVHDvQNu2HnsBstNEJ6HPijJnsKepor4jQ51AG";

const GOOD: [string, NamedPeer][] = [
  ["10.0.0.1", { host: "10.0.0.1" }],
  ["10.0.0.1:5001", { host: "10.0.0.1", port: 5001 }],
  ["::1", { host: "::1" }],
  ["2001:db8::1", { host: "2001:db8::1" }],
  ["[2001:db8::1]", { host: "2001:db8::1" }],
  ["[2001:db8::1]:5001", { host: "2001:db8::1", port: 5001 }],
  ["node-1", { host: "node-1" }],
  ["localhost", { host: "localhost" }],
  ["eddy.kube-system.svc.cluster.local.", { host: "eddy.kube-system.svc.cluster.local." }],
  ["node-1:65535", { host: "node-1", port: 65535 }],
  ["/ip4/10.0.0.1", { host: "10.0.0.1" }],
  ["/ip4/10.0.0.1/tcp/5001", { host: "10.0.0.1", port: 5001 }],
  [`/ip4/10.0.0.1/tcp/5001/p2p/${ID}`, { host: "10.0.0.1", port: 5001, id: ID }],
  [`/ip4/10.0.0.1/p2p/${ID}`, { host: "10.0.0.1", id: ID }],
  ["/ip6/2001:db8::1/tcp/5001", { host: "2001:db8::1", port: 5001 }],
  ["/dns4/node-1/tcp/5001", { host: "node-1", port: 5001 }],
  ["/dns/node-1", { host: "node-1" }],
];

for (const [text, wanted] of GOOD) {
  test(`bootstrap peer ${text}`, () => assert.deepEqual(parsePeer(text), wanted));
}

const BAD = [
  "",
  " ",
  ":5001",
  "10.0.0.1:",
  "10.0.0.1:0",
  "10.0.0.1:65536",
  "10.0.0.1:port",
  "10.0.0",
  "10.0.0.256",
  "10.0.0.1/24",
  "[10.0.0.1]:5001",
  "[::1",
  "::1]:5001",
  "[::zz]:1",
  "http://10.0.0.1:5001",
  "node 1",
  "-node",
  "node..1",
  "/",
  "/ip4",
  "/ip4/10.0.0.256/tcp/5001",
  "/ip4/10.0.0.1/tcp/0",
  "/ip4/10.0.0.1/udp/5001",
  "/ip4/10.0.0.1/udp/5001/quic-v1",
  "/ip4/10.0.0.1/tcp/5001/tcp/5002",
  "/ip4/10.0.0.1/tcp/5001/p2p/nonsense",
  `/p2p/${ID}`,
  `/ip4/10.0.0.1/p2p/${ID}/tcp/5001`,
  "/unix/%2Ftmp%2Fx",
  "a".repeat(300),
];

for (const text of BAD) {
  test(`malformed bootstrap peer ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(() => parsePeer(text), /bootstrap peer ".*" is malformed, want HOST/);
  });
}
