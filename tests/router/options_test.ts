import assert from "node:assert/strict";
import { resolveRouterOptions, type RouterOptions } from "../../lib/router/options.ts";
import { test } from "../support/test.ts";

const BASE: RouterOptions = { listen: { host: "", port: 5001 }, registryPort: 5000 };

function resolve(options: Partial<RouterOptions> = {}) {
  return resolveRouterOptions({ ...BASE, ...options });
}

test("defaults are those of a node beside Spegel", () => {
  const options = resolve();
  assert.equal(options.protocolPrefix, "/spegel");
  assert.equal(options.recordTtlMs, 19 * 60_000);
  assert.equal(options.allowLoopback, false);
  assert.equal(options.dataDir, undefined);
});

const HOSTS: [string, boolean][] = [
  ["", false],
  ["10.0.0.1", false],
  ["127.0.0.1", true],
  [
    "::1",
    true,
  ],
  ["[::1]", true],
  ["localhost", true],
];
for (const [host, allowed] of HOSTS) {
  test(`listening on ${host || "everything"} ${allowed ? "allows" : "forbids"} loopback`, () => {
    assert.equal(resolve({ listen: { host, port: 5001 } }).allowLoopback, allowed);
  });
}

test("what is said explicitly wins", () => {
  assert.equal(resolve({ allowLoopback: true }).allowLoopback, true);
  assert.equal(resolve({ dialTimeoutMs: 77 }).dialTimeoutMs, 77);
});

test("times suit a LAN unless another network is named; what is said explicitly wins", () => {
  assert.equal(resolve().connectTimeoutMs, 200);
  assert.equal(resolve({ network: "edge" }).connectTimeoutMs, 3000);
  assert.equal(resolve({ network: "wan", requestTimeoutMs: 7 }).requestTimeoutMs, 7);
  assert.equal(resolve({ network: "wan", requestTimeoutMs: 7 }).dialTimeoutMs, 3000);
});

const BAD: [Partial<RouterOptions>, RegExp][] = [
  [{ dialTimeoutMs: 0 }, /dialTimeoutMs is 0, want a number above 0/],
  [{ recordTtlMs: -1 }, /recordTtlMs is -1/],
  [{ maxRecords: NaN }, /maxRecords is NaN/],
  [{ lookupTimeoutMs: Infinity }, /lookupTimeoutMs is Infinity/],
  [{ listen: { host: "", port: 65536 } }, /listen.port is 65536, want 0 to 65535/],
  [{ listen: { host: "", port: 1.5 } }, /listen.port is 1.5/],
  [{ listen: { host: "", port: 0 } }, /listen.port is 0, want a port when the host is empty/],
  [{ protocolPrefix: "spegel" }, /protocolPrefix is spegel, want a path/],
  [{ protocolPrefix: "/a b" }, /protocolPrefix is \/a b/],
];
for (const [options, message] of BAD) {
  test(`refused: ${JSON.stringify(options)}`, () => {
    assert.throws(() => resolve(options), { name: "RangeError", message });
  });
}
