import assert from "node:assert/strict";
import { createDnsBootstrapper } from "../../lib/router/bootstrap/dns_bootstrapper.ts";
import { resolveService } from "../../lib/router/bootstrap/resolve_service.ts";
import { test } from "../support/test.ts";
import { DnsServer, srv } from "./dns_server.ts";

const SRV = 33;
const { signal } = new AbortController();

const HOSTS: Record<string, string[]> = {
  "a.test": ["10.0.0.1", "2001:db8::1"],
  "b.test": ["10.0.0.2"],
};

function resolve(host: string): Promise<string[]> {
  const found = HOSTS[host];
  return found ? Promise.resolve(found) : Promise.reject(new Error(`${host} not found`));
}

async function peersOf(targets: readonly { host: string; port: number }[]) {
  const resolveSrv = () => Promise.resolve([...targets]);
  return await createDnsBootstrapper({ domain: "_router._tcp.test" }, { resolve, resolveSrv })
    .get({ signal });
}

test("dns: a service's instances are peers at their own ports", async () => {
  assert.deepEqual(
    await peersOf([{ host: "a.test", port: 5001 }, { host: "b.test", port: 6001 }]),
    [
      { addresses: [{ ip: "10.0.0.1", port: 5001 }, { ip: "2001:db8::1", port: 5001 }] },
      { addresses: [{ ip: "10.0.0.2", port: 6001 }] },
    ],
  );
});

test("dns: an instance that does not resolve is left out, unless none does", async () => {
  const gone = { host: "gone.test", port: 1 };
  assert.equal((await peersOf([gone, { host: "b.test", port: 2 }])).length, 1);
  await assert.rejects(peersOf([gone]), { message: "gone.test not found" });
  assert.deepEqual(await peersOf([]), []);
});

test("dns: ten thousand records are cut", async () => {
  const many = Array.from({ length: 10_000 }, () => ({ host: "b.test", port: 1 }));
  assert.equal((await peersOf(many)).length, 512);
  const addresses = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const dns = createDnsBootstrapper({ domain: "many" }, {
    resolve: () => Promise.resolve(addresses),
  });
  assert.equal((await dns.get({ signal })).length, 8192);
});

test("SRV records are read from a name server, best priority first", async () => {
  await using server = await DnsServer.start({
    "_router._tcp.test": [
      { type: SRV, data: srv(20, 6001, "b.test") },
      { type: SRV, data: srv(10, 5001, "a.test") },
      { type: SRV, data: srv(0, 5001, ".") },
      { type: SRV, data: srv(0, 0, "c.test") },
    ],
  });
  const nameServer = { ipAddr: "127.0.0.1", port: server.port };
  assert.deepEqual(await resolveService("_router._tcp.test", { signal, nameServer }), [
    { host: "a.test", port: 5001 },
    { host: "b.test", port: 6001 },
  ]);
  await assert.rejects(resolveService("_gone._tcp.test", { signal, nameServer }));
});
