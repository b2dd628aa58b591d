import assert from "node:assert/strict";
import { CID } from "multiformats/cid";
import { dhtKey, kademliaId, multihashId } from "../../../lib/router/dht/dht_key.ts";
import { test } from "../../support/test.ts";

// Made with go-cid 0.6.2: Prefix{Version: 1, Codec: Raw, MhType: SHA2_256}.Sum(key).
const VECTORS = [
  {
    key: "docker.io/library/nginx:1.27",
    cid: "bafkreidjmwqqyfjjblilfhfh7umgnxqykbaiwpfrl6yruo53xqx53mkyxu",
  },
];

for (const { key, cid } of VECTORS) {
  test(`the CID of ${key} is that of go-cid`, () => {
    assert.deepEqual(dhtKey(key).multihash, CID.parse(cid).multihash.bytes);
  });
}

test("a key goes over the wire as a sha2-256 multihash", () => {
  const { multihash, id } = dhtKey("sha256:abc");
  assert.deepEqual([...multihash.subarray(0, 2)], [0x12, 32]);
  assert.equal(multihash.length, 34);
  assert.equal(id, multihashId(multihash));
});

test("the index of a multihash does not depend on the buffer it is in", () => {
  const { multihash, id } = dhtKey("a");
  const within = new Uint8Array(50);
  within.set(multihash, 7);
  assert.equal(multihashId(within.subarray(7, 41)), id);
});

test("a position in the key space is the sha2-256 of the bytes", () => {
  const hex = [...kademliaId(new TextEncoder().encode("abc"))].map((b) =>
    b.toString(16).padStart(2, "0")
  ).join("");
  assert.equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
