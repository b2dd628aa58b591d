import assert from "node:assert/strict";
import { createLocalClients } from "../../lib/access/local_clients.ts";
import { StrangerReports } from "../../lib/access/report_strangers.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

function setUp() {
  const [clock, log] = [new FakeClock(), new MemoryLog()];
  const reports = new StrangerReports(createLocalClients([], () => []), { clock, log });
  const addresses = () => log.lines.map(({ fields }) => fields.address);
  return { clock, reports, addresses };
}

test("who is no local client is reported with the address, once a minute", async () => {
  const { clock, reports: { isLocalClient }, addresses } = setUp();
  assert.equal(isLocalClient("127.0.0.1"), true);
  assert.deepEqual(addresses(), []);
  for (const address of ["10.42.0.1", "10.42.0.2"]) assert.equal(isLocalClient(address), false);
  await clock.advance(59_999);
  assert.equal(isLocalClient("10.42.0.3"), false);
  assert.deepEqual(addresses(), ["10.42.0.1"]);
  await clock.advance(1);
  assert.equal(isLocalClient("10.42.0.3"), false);
  assert.deepEqual(addresses(), ["10.42.0.1", "10.42.0.3"]);
});

test("another node is no local client and is not reported, as its doctor asks like containerd", () => {
  const { reports, addresses } = setUp();
  const peers = [{ id: "b", addresses: ["10.0.0.2", "fd00::2"], registryPort: 5000 }];
  reports.attach({ peers: () => peers });
  for (const address of ["10.0.0.2", "fd00:0::2"]) {
    assert.equal(reports.isLocalClient(address), false);
  }
  assert.deepEqual(addresses(), []);
  assert.equal(reports.isLocalClient("10.0.0.3"), false);
  assert.deepEqual(addresses(), ["10.0.0.3"]);
});
