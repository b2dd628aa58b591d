import assert from "node:assert/strict";
import { createLocalClients } from "../../lib/access/local_clients.ts";
import { reportStrangers } from "../../lib/access/report_strangers.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

test("who is no local client is reported with the address, once a minute", async () => {
  const [clock, log] = [new FakeClock(), new MemoryLog()];
  const addresses = () => log.lines.map(({ fields }) => fields.address);
  const isLocal = reportStrangers(createLocalClients([], () => []), { clock, log });
  assert.equal(isLocal("127.0.0.1"), true);
  assert.deepEqual(addresses(), []);
  for (const address of ["10.42.0.1", "10.42.0.2"]) assert.equal(isLocal(address), false);
  await clock.advance(59_999);
  assert.equal(isLocal("10.42.0.3"), false);
  assert.deepEqual(addresses(), ["10.42.0.1"]);
  await clock.advance(1);
  assert.equal(isLocal("10.42.0.3"), false);
  assert.deepEqual(addresses(), ["10.42.0.1", "10.42.0.3"]);
});
