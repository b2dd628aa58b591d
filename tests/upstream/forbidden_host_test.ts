import assert from "node:assert/strict";
import { isForbiddenAddress, isForbiddenHost } from "../../lib/upstream/forbidden_host.ts";
import { test } from "../support/test.ts";

test("addresses that nobody may send this node to", () => {
  const forbidden = [
    ..."127.0.0.1 127.255.255.255 0.0.0.0 169.254.169.254 169.254.0.1 100.100.100.200".split(" "),
    ..."224.0.0.1 :: ::1 fe80::1 fe80::1%eth0 fd00:ec2::254 ff02::1 [::1]".split(" "),
    ..."::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:169.254.169.254 ::ffff:a9fe:a9fe nonsense".split(" "),
  ];
  for (const address of forbidden) assert.equal(isForbiddenAddress(address), true, address);
  for (const address of "8.8.8.8 10.0.0.1 192.168.1.1 100.64.0.1 2001:db8::1 fd00::1".split(" ")) {
    assert.equal(isForbiddenAddress(address), false, address);
  }
});

test("a name is forbidden if any of its addresses is, or if it has none", async () => {
  const names: Record<string, readonly string[]> = {
    "good.example": ["192.0.2.1", "2001:db8::1"],
    "mixed.example": ["192.0.2.1", "127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "empty.example": [],
  };
  const resolve = (hostname: string) => {
    const found = names[hostname];
    return found === undefined ? Promise.reject(new Error("no such name")) : Promise.resolve(found);
  };
  assert.equal(await isForbiddenHost("good.example", resolve), false);
  for (const name of ["mixed.example", "metadata.example", "empty.example", "unknown.example"]) {
    assert.equal(await isForbiddenHost(name, resolve), true, name);
  }
  assert.equal(await isForbiddenHost("192.0.2.7", resolve), false);
  assert.equal(await isForbiddenHost("[::1]", resolve), true);
});
