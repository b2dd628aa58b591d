import assert from "node:assert/strict";
import {
  type InterfaceInfo,
  siteInterfaces,
} from "../../lib/router/bootstrap/mdns/site_interfaces.ts";
import { test } from "../support/test.ts";

const LIST: readonly InterfaceInfo[] = [
  ["lo", "127.0.0.1/8"],
  ["eth0", "192.168.1.5/24"],
  ["eth0", "192.168.1.99/24"],
  ["eth1", "203.0.113.7/24"],
  ["enp3s0", "10.1.2.3/16"],
  ["docker0", "172.17.0.1/16"],
  ["cni0", "10.42.0.1/24"],
  ["wg0", "10.9.0.1/24"],
].map(([name = "", cidr = ""]) => ({
  name,
  address: cidr.replace(/\/.*/, ""),
  cidr,
  family: "IPv4",
}));
const IPV6 = { name: "eth2", family: "IPv6", address: "fd00::1", cidr: "fd00::1/16" } as const;

for (
  const [names, wanted] of [
    [[], ["eth0", "enp3s0"]],
    [["eth1", "wg0"], ["eth1", "wg0"]],
    [["lo"], ["lo"]],
    [["eth2", "eth9"], []],
  ] as const
) {
  test(`multicast on ${names.join(" ") || "the site's"} interfaces`, () => {
    const found = siteInterfaces([...LIST, IPV6], names);
    assert.deepEqual(found.map(({ name }) => name), wanted);
  });
}

test("what comes from outside of an interface's subnet is told apart", () => {
  const [eth0] = siteInterfaces(LIST, ["eth0"]);
  assert.equal(eth0?.address, "192.168.1.5");
  const addresses = ["192.168.1.200", "192.168.2.1", "10.0.0.1", "fe80::1", ""];
  assert.deepEqual(addresses.filter((address) => eth0?.contains(address)), ["192.168.1.200"]);
});
