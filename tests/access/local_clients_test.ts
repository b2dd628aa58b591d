import assert from "node:assert/strict";
import { createLocalClients } from "../../lib/access/local_clients.ts";
import { test } from "../support/test.ts";

test("clients on this node", () => {
  const own = ["192.0.2.10", "2001:db8::10"];
  const isLocal = createLocalClients(["10.42.0.0/24", "198.51.100.1", "fd00::/64"], () => own);
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
