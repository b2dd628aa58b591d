import assert from "node:assert/strict";
import { RequestRing } from "../../../lib/observability/debug/request_ring.ts";
import { Traffic } from "../../../lib/observability/debug/traffic.ts";
import { formatBytes, formatMs, formatPercent } from "../../../lib/observability/debug/format.ts";
import { requestEntry } from "../../fakes/debug_source.ts";
import { memoryMetrics } from "../../fakes/metrics.ts";
import { test } from "../../support/test.ts";

test("request ring: the newest first, the oldest make room", () => {
  const ring = new RequestRing({ capacity: 3 });
  const paths = () => ring.newestFirst().map(({ path }) => path);
  assert.deepEqual(paths(), []);
  for (const path of ["a", "b"]) ring.requestEnded(requestEntry({ path }));
  assert.deepEqual(paths(), ["b", "a"]);
  for (const path of ["c", "d", "e"]) ring.requestEnded(requestEntry({ path }));
  assert.deepEqual(paths(), ["e", "d", "c"]);
});

test("traffic: sums up by peer and address, and hands everything on", () => {
  const traffic = new Traffic();
  const next = memoryMetrics();
  const metrics = traffic.observe(next);
  metrics.bytesFetched(3, "p1");
  metrics.bytesFetched(4, "p1");
  metrics.bytesFetched(5, "p2");
  metrics.bytesServed(6, "10.0.0.1");
  metrics.mirrorRequest("r", "local", "");
  metrics.mirrorRequest("r", "hit", "");
  metrics.mirrorRequest("r", "miss", "no-peer");
  metrics.mirrorRequest("r", "miss", "");
  metrics.peers(2);
  assert.deepEqual([traffic.from("p1"), traffic.from("p2"), traffic.from("p3")], [7, 5, 0]);
  assert.deepEqual([traffic.to("10.0.0.1"), traffic.to("p1")], [6, 0]);
  assert.deepEqual(traffic.totals(), {
    local: 1,
    hits: 1,
    misses: 2,
    missReasons: { "no-peer": 1, other: 1 },
    bytesFrom: 12,
    bytesTo: 6,
  });
  assert.equal(next.calls.length, 9);
});

test("debug pages: figures for people", () => {
  const bytes: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [99_960, "100 kB"],
    [999_600, "1.0 MB"],
    [12_345_678, "12.3 MB"],
    [5e12, "5.0 TB"],
  ];
  for (const [value, text] of bytes) assert.equal(formatBytes(value), text);
  const times: [number, string][] = [
    [0, "0.00 ms"],
    [0.42, "0.42 ms"],
    [1.25, "1.3 ms"],
    [12.4, "12 ms"],
    [1500, "1.5 s"],
    [90_000, "1 min"],
    [3_700_000, "1 h 1 min"],
    [3 * 86_400_000, "3 d"],
  ];
  for (const [value, text] of times) assert.equal(formatMs(value), text);
  assert.deepEqual([formatPercent(1, 3), formatPercent(0, 0)], ["33 %", "–"]);
});
