import assert from "node:assert/strict";
import {
  addressesOf,
  allowedAddresses,
  ForbiddenTargetError,
  isForbiddenAddress,
  UnresolvedNameError,
} from "../../lib/upstream/forbidden_host.ts";
import { test } from "../support/test.ts";

const { signal } = new AbortController();

test("addresses that nobody may send this node to", () => {
  const forbidden = `
    127.0.0.1 127.255.255.255 0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 169.254.170.23
    100.100.100.200 168.63.129.16 192.0.0.192 224.0.0.1 239.255.255.255 255.255.255.255
    :: ::1 [::1] fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254
    fd00:c1::a9fe:a9fe fd00:42::42
    ::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:169.254.169.254 ::ffff:a9fe:a9fe 0:0:0:0:0:ffff:7f00:1
    ::ffff:0:127.0.0.1 ::127.0.0.1 ::8.8.8.8 ::7f00:1
    64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:FF9B::6464:64c8 64:ff9b::
    64:ff9b:1::127.0.0.1 64:ff9b:1:a9fe:a9:fe00:: 64:ff9b:1:a9:fe:a9fe:: 64:ff9b:1:0:a9:fea9:fe00::
    2002:7f00:1:: 2002:a9fe:a9fe::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001::1
    127.0.0.1%eth0 ::1%eth0 ::ffff:127.0.0.1%eth0
    nonsense 127.1 010.0.0.1 0177.0.0.1 2130706433 0x7f000001 0x7f.0.0.1 256.0.0.1 ::ffff:256.0.0.1 1:2
  `;
  for (const address of forbidden.trim().split(/\s+/)) {
    assert.equal(isForbiddenAddress(address), true, address);
  }
  assert.equal(isForbiddenAddress(""), true);
  const allowed = `
    8.8.8.8 10.0.0.1 192.168.1.1 100.64.0.1 172.16.0.1 1.2.3.4 192.0.2.1 198.18.0.1 240.0.0.1
    2001:db8::1 2001:1::1 2606:4700::1 fd00::1 fc00::1 fd00:ec3::254
    ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::a00:1
    64:ff9b:1::8.8.8.8 64:ff9b:1:808:8:800:: 2002:808:808::1
  `;
  for (const address of allowed.trim().split(/\s+/)) {
    assert.equal(isForbiddenAddress(address), false, address);
  }
});

test("a name is forbidden if any of its addresses is, or if it has none", async () => {
  const names: Record<string, readonly string[]> = {
    "good.example": ["192.0.2.1", "2001:db8::1"],
    "mixed.example": ["192.0.2.1", "127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "empty.example": [],
    "odd.example": ["not an address"],
  };
  const resolve = (hostname: string) => {
    const found = names[hostname];
    return found === undefined ? Promise.reject(new Error("no such name")) : Promise.resolve(found);
  };
  const allowed = (hostname: string) => allowedAddresses(hostname, { resolve, signal });
  assert.deepEqual(await allowed("good.example"), ["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(await allowed("192.0.2.7"), ["192.0.2.7"]);
  assert.deepEqual(await allowed("[2001:db8::7]"), ["2001:db8::7"]);
  const forbidden = [
    ...["mixed.example", "metadata.example", "nat64.example", "empty.example", "odd.example"],
    ...["[::1]", "127.0.0.1", "[::ffff:7f00:1]"],
  ];
  for (const name of forbidden) {
    await assert.rejects(allowed(name), ForbiddenTargetError, name);
  }
  await assert.rejects(allowed("unknown.example"), UnresolvedNameError);
  await assert.rejects(allowed("unknown.example"), /no such name/);
  assert.deepEqual(await addressesOf("mixed.example", { resolve, signal }), names["mixed.example"]);
  assert.deepEqual(await addressesOf("[::1]", { resolve, signal }), ["::1"]);
});
