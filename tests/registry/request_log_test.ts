import assert from "node:assert/strict";
import type { RequestRecord } from "../../lib/ports/requests.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";
import { FROM_PEER, MANIFEST, setup } from "./setup.ts";

test("request log: one line a request, written when its body has ended", async () => {
  const clock = new FakeClock();
  const s = setup({}, { clock });
  const blob = s.store.add("0123456789");
  const response = await s.app.request(`/v2/a/blobs/${blob}?ns=quay.io`, { headers: FROM_PEER }, {
    remoteAddr: { transport: "tcp", hostname: "::ffff:10.0.0.7", port: 1234 },
  });
  assert.deepEqual(s.log.lines, []);
  await clock.advance(250);
  await response.text();
  assert.deepEqual(s.log.lines, [{
    level: "info",
    message: "request",
    fields: {
      path: `/v2/a/blobs/${blob}`,
      status: 200,
      method: "GET",
      latency: 250,
      ip: "10.0.0.7",
      handler: "blob",
      bytes: 10,
      registry: "quay.io",
      mirrored: true,
    },
  }]);
  assert.deepEqual(s.metrics.calls, [
    ["inFlight", "v2", 1],
    ["inFlight", "v2", -1],
    ["inFlight", "blob", 1],
    ["inFlight", "blob", -1],
    ["httpRequest", "blob", "GET", 200, 250, 10],
    ["bytesServed", 10, "10.0.0.7"],
  ]);
});

test("request log: handlers and levels", async () => {
  const s = setup();
  const manifest = s.store.add(MANIFEST);
  const cases: [path: string, handler: string, level: string][] = [
    ["/livez", "livez", "debug"],
    ["/readyz", "readyz", "debug"],
    ["/v2/", "v2", "info"],
    ["/v2/%ff/manifests/1", "v2", "info"],
    [`/v2/a/manifests/${manifest}`, "manifest", "info"],
    ["/v2/a/manifests/1", "mirror", "info"],
    ["/nowhere", "other", "info"],
  ];
  for (const [path, handler, level] of cases) {
    s.log.lines.length = 0;
    await (await s.request(path)).text();
    assert.equal(s.log.lines.length, 1, path);
    assert.equal(s.log.lines[0]?.fields["handler"], handler, path);
    assert.equal(s.log.lines[0]?.level, level, path);
  }
  const balance = new Map<unknown, number>();
  for (const [name, handler, delta] of s.metrics.calls) {
    if (name === "inFlight") balance.set(handler, (balance.get(handler) ?? 0) + Number(delta));
  }
  assert.ok([...balance.values()].every((count) => count === 0), JSON.stringify([...balance]));
});

test("request log: bytes of requests that are not a peer's are not counted as served", async () => {
  const s = setup();
  const blob = s.store.add("0123456789");
  await (await s.request(`/v2/a/blobs/${blob}`)).text();
  assert.equal(s.log.lines[0]?.fields["bytes"], 10);
  assert.ok(!s.metrics.calls.some(([name]) => name === "bytesServed"));
});

test("request log: a long path is cut off, and the query is left out", async () => {
  const s = setup();
  await s.request(`/x${"a".repeat(5000)}?secret=1`);
  const path = String(s.log.lines[0]?.fields["path"]);
  assert.ok(path.length <= 512 && !path.includes("secret"));
});

test("request log: an observer is told of pulls and of what was refused, not of probes", async () => {
  const records: RequestRecord[] = [];
  const s = setup({}, { requests: { requestEnded: (record) => records.push(record) } });
  const blob = s.store.add("0123456789");
  for (const path of ["/livez", "/readyz", "/v2/", `/v2/a/blobs/${blob}?ns=quay.io`]) {
    await (await s.request(path)).text();
  }
  await (await s.request("/v2/a/manifests/1")).text();
  await (await s.request("/v2/%3Cb%3E/manifests/1")).text();
  assert.deepEqual(
    records.map(({ path, status, bytes, reason }) => [path, status, bytes > 0, reason]),
    [
      [`/v2/a/blobs/${blob}`, 200, true, undefined],
      ["/v2/a/manifests/1", 404, true, "no-peer"],
      ["/v2/%3Cb%3E/manifests/1", 400, true, undefined],
    ],
  );
});

test("log: an answer does not wait for its line", async () => {
  const works: (() => void)[] = [];
  const s = setup({}, { later: (work) => works.push(work) });
  const response = await s.request(`/v2/a/blobs/sha256:${"0".repeat(64)}`);
  assert.equal(response.status, 404);
  assert.deepEqual(s.log.lines, []);
  assert.equal(s.inFlight(), 1, "nobody may stop before the line is written");
  for (const work of works) work();
  assert.equal(s.log.lines.length, 1);
  assert.equal(s.inFlight(), 0);
});
