import assert from "node:assert/strict";
import { createLocalClients } from "../../lib/access/local_clients.ts";
import { test } from "../support/test.ts";

test("clients on this node", () => {
  const own = ["192.0.2.10", "2001:db8::10"];
  const isLocal = createLocalClients(
    ["10.42.0.0/24", "198.51.100.1", "fd00::/64"],
    () => own.map((address) => ({ address })),
  );
  for (
    const address of [
      ..."127.0.0.1 127.8.9.10 ::1 192.0.2.10 2001:db8::10 10.42.0.7".split(" "),
      ..."198.51.100.1 fd00::9".split(" "),
    ]
  ) assert.equal(isLocal(address), true, address);
  for (const address of ["192.0.2.11", "10.42.1.1", "198.51.100.2", "fd00:0:0:1::1", "", "x"]) {
    assert.equal(isLocal(address), false, address);
  }
});

test("what is no network is refused by name", () => {
  for (
    const network of ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "fd00::/129", "10/8"]
  ) {
    assert.throws(() => createLocalClients([network], () => []), (error: Error) => {
      return error instanceof TypeError && error.message.includes(JSON.stringify(network));
    }, network);
  }
});

test("the gateways of a pod's networks, if they are asked for", () => {
  const own = [
    ...["127.0.0.1/8", "10.42.3.7/24", "10.1.2.3/20", "192.0.2.9/32", "198.51.100.7/31"],
    ...["fd00:0:0:3::7/64", "2001:db8::ab/96", "2001:db8:1::5/128", "fe80::9/64", "::1/128"],
    ...["169.254.7.9/16"],
  ].map((cidr) => ({ address: cidr.split("/")[0] ?? "", cidr }));
  const isLocal = createLocalClients(["gateway"], () => own);
  for (const address of ["10.42.3.1", "10.1.0.1", "fd00:0:0:3::1", "2001:db8::1"]) {
    assert.equal(isLocal(address), true, address);
    assert.equal(createLocalClients([], () => own)(address), false, `${address} unasked`);
  }
  for (
    const address of [
      ...["10.42.3.2", "10.42.0.1", "10.1.2.1", "192.0.2.1", "198.51.100.6", "fd00:0:0:3::2"],
      ...["2001:db8:1::1", "fe80::1", "169.254.0.1"],
    ]
  ) assert.equal(isLocal(address), false, address);
});
