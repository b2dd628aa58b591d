import assert from "node:assert/strict";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { createPeerMapper, type PeerMapperOptions } from "../../../lib/router/peers/peer_mapper.ts";
import { test } from "../../support/test.ts";

const ID = "12D3KooWEy9KWfkVHDvQNu2HnsBstNEJ6HPijJnsKepor4jQ51AG";

function map(addresses: readonly string[], options: Partial<PeerMapperOptions> = {}) {
  const toPeer = createPeerMapper({
    allowLoopback: false,
    registryPort: 5000,
    own: () => [],
    ...options,
  });
  const multiaddrs = addresses.map((address) => multiaddr(address));
  return toPeer({ id: peerIdFromString(ID), multiaddrs })?.peer;
}

test("usable addresses are kept in order, each once", () => {
  const peer = map([
    "/ip4/127.0.0.1/tcp/5001",
    "/ip6/2001:db8::1/tcp/5001",
    "/ip4/10.0.0.1/tcp/5001",
    "/ip4/10.0.0.1/tcp/5002",
    "/ip4/10.0.0.2/udp/5001/quic-v1",
    "/ip4/169.254.1.1/tcp/5001",
    "/dns4/peer.example/tcp/5001",
  ]);
  assert.deepEqual(peer, { id: ID, addresses: ["2001:db8::1", "10.0.0.1"], registryPort: 5000 });
});

test("a peer without any usable address is none", () => {
  assert.equal(map([]), undefined);
  assert.equal(map(["/ip4/127.0.0.1/tcp/5001", "/ip6/::1/tcp/5001"]), undefined);
});

test("loopback addresses count when they are allowed", () => {
  assert.deepEqual(map(["/ip4/127.0.0.1/tcp/5001"], { allowLoopback: true })?.addresses, [
    "127.0.0.1",
  ]);
});

test("an address at which this node itself listens is not another peer's", () => {
  const own = () => [{ ip: "172.17.0.1", port: 5001 }];
  const peer = map(["/ip4/172.17.0.1/tcp/5001", "/ip4/10.0.0.1/tcp/5001"], { own });
  assert.deepEqual(peer?.addresses, ["10.0.0.1"]);
  assert.deepEqual(map(["/ip4/172.17.0.1/tcp/6001"], { own })?.addresses, ["172.17.0.1"]);
});

test("the registry's port may follow from the router's", () => {
  const registryPort = (port: number) => port + 100;
  assert.equal(map(["/ip4/10.0.0.1/tcp/6001"], { registryPort })?.registryPort, 6101);
});

test("a peer that claims a thousand addresses is believed only some", () => {
  const many = Array.from({ length: 1000 }, (_, i) => `/ip4/10.0.${i >> 8}.${i & 255}/tcp/1`);
  assert.equal(map(many)?.addresses.length, 16);
});
