import assert from "node:assert/strict";
import { register as globalRegister } from "prom-client";
import { labelLimit } from "../../lib/observability/label_limit.ts";
import { createMetrics } from "../../lib/observability/metrics.ts";
import { createMetricsApp } from "../../lib/observability/metrics_app.ts";
import { test } from "../support/test.ts";
import { samplesOf } from "./exposition.ts";

test("metrics: each method of the port shows in the text", async () => {
  const { metrics, text, contentType } = createMetrics({
    version: "1.2.3",
    rollout: true,
    layers: true,
  });
  metrics.mirrorRequest("docker.io", "hit", "");
  metrics.mirrorRequest("docker.io", "miss", "no-peer");
  metrics.mirrorRequest("docker.io", "miss", "no-peer");
  metrics.httpRequest("blob", "GET", 206, 1500, 10);
  metrics.inFlight("blob", 1);
  metrics.inFlight("blob", 1);
  metrics.inFlight("blob", -1);
  metrics.bytesServed(10, "10.0.0.1");
  metrics.bytesServed(5, "10.0.0.1");
  metrics.bytesFetched(7, "peer");
  metrics.resolveDuration(20);
  metrics.peerSwitched("stalled");
  metrics.electionHeld("follow");
  metrics.followBegan();
  metrics.followFailed("died");
  metrics.upstreamSpared(700);
  metrics.advertised({ digests: 3, tags: 2 });
  metrics.peers(4);
  metrics.layersKept({ layers: 5, bytes: 5000 });
  metrics.layerReleased("budget");
  const found = samplesOf(await text());
  const expected: [sample: string, value: number][] = [
    ['eddy_mirror_requests_total{registry="docker.io",outcome="hit",reason=""}', 1],
    ['eddy_mirror_requests_total{registry="docker.io",outcome="miss",reason="no-peer"}', 2],
    ['eddy_http_requests_total{handler="blob",method="GET",code="206"}', 1],
    ['eddy_http_request_duration_seconds_sum{handler="blob",method="GET",code="206"}', 1.5],
    ['eddy_http_request_duration_seconds_count{handler="blob",method="GET",code="206"}', 1],
    ['eddy_http_requests_in_flight{handler="blob"}', 1],
    ["eddy_served_bytes_total", 15],
    ["eddy_fetched_bytes_total", 7],
    ["eddy_resolve_duration_seconds_sum", 0.02],
    ["eddy_resolve_duration_seconds_count", 1],
    ['eddy_peer_switches_total{reason="stalled"}', 1],
    ['eddy_rollout_elections_total{outcome="follow"}', 1],
    ["eddy_rollout_follows_total", 1],
    ['eddy_rollout_fallbacks_total{reason="died"}', 1],
    ["eddy_rollout_avoided_bytes_total", 700],
    ["eddy_advertised_digests", 3],
    ["eddy_advertised_tags", 2],
    ["eddy_peers", 4],
    ["eddy_kept_layers", 5],
    ["eddy_kept_layer_bytes", 5000],
    ['eddy_released_layers_total{reason="budget"}', 1],
    [`eddy_build_info{version="1.2.3",deno="${Deno.version.deno}"}`, 1],
  ];
  for (const [sample, value] of expected) assert.equal(found.get(sample), value, sample);
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
});

test("metrics: the process shows, read anew each time", async () => {
  const { text } = createMetrics({ version: "1" });
  const first = samplesOf(await text());
  for (const name of ["resident_memory_bytes", "heap_bytes", "cpu_seconds_total"]) {
    assert.ok((first.get(`process_${name}`) ?? 0) > 0, name);
  }
  const start = first.get("process_start_time_seconds") ?? 0;
  assert.ok(start > 1e9 && start <= Date.now() / 1000 + 1);
  const cpu = (await Promise.all([text(), text()])).map((each) =>
    samplesOf(each).get("process_cpu_seconds_total") ?? 0
  );
  for (const later of cpu) assert.ok(later >= (first.get("process_cpu_seconds_total") ?? 0));
});

test("metrics: labels that come from requests are bounded", async () => {
  const { metrics, text } = createMetrics({ version: "1", maxRegistries: 2 });
  for (let i = 0; i < 1000; i++) {
    metrics.mirrorRequest(`r${i}.io`, "miss", "no-peer");
    metrics.httpRequest("other", `METHOD${i}`, 405, 1, 0);
  }
  const found = samplesOf(await text());
  const counted = (name: string) => [...found].filter(([sample]) => sample.startsWith(`${name}{`));
  assert.deepEqual(
    counted("eddy_mirror_requests_total").map(([sample, value]) => [sample.slice(27, 42), value]),
    [['registry="r0.io', 1], ['registry="r1.io', 1], ['registry="other', 998]],
  );
  assert.equal(counted("eddy_http_requests_total").length, 1);
});

test("metrics: a value that is no amount does no harm", async () => {
  const { metrics, text } = createMetrics({ version: "1" });
  for (const value of [NaN, -1, Infinity]) {
    metrics.bytesServed(value, "");
    metrics.bytesFetched(value, "");
    metrics.resolveDuration(value);
    metrics.httpRequest("blob", "GET", 200, value, value);
    metrics.peers(value);
    metrics.advertised({ digests: value, tags: value });
  }
  assert.equal(samplesOf(await text()).get("eddy_served_bytes_total"), 0);
});

test("metrics: two agents in a process do not share, and nothing is global", async () => {
  const [a, b] = [createMetrics({ version: "1" }), createMetrics({ version: "1" })];
  a.metrics.bytesServed(1, "");
  assert.equal(samplesOf(await b.text()).get("eddy_served_bytes_total"), 0);
  assert.deepEqual(globalRegister.getMetricsAsArray(), []);
});

test("label limit: the first ones keep their name", () => {
  const label = labelLimit(2);
  assert.deepEqual(["a", "b", "c", "a", "d"].map(label), ["a", "b", "other", "a", "other"]);
});

test("metrics app: paths", async () => {
  const { metrics, text, contentType } = createMetrics({ version: "1" });
  let isReady = false;
  const app = createMetricsApp({ text, contentType, ready: () => isReady });
  metrics.peers(7);
  const exposition = await app.request("/metrics");
  assert.equal(exposition.headers.get("content-type"), contentType);
  assert.match(await exposition.text(), /^eddy_peers 7$/m);
  const status = async (path: string, method = "GET") =>
    (await app.request(path, { method })).status;
  assert.equal(await status("/livez"), 200);
  assert.equal(await status("/readyz"), 503);
  isReady = true;
  assert.equal(await status("/readyz"), 200);
  assert.equal(await status("/metrics", "HEAD"), 200);
  assert.equal(await status("/"), 404);
  assert.equal(await status("/v2/"), 404);
  assert.equal(await status("/metrics", "POST"), 404);
});

test("metrics app: a collector that fails is a 500 without words", async () => {
  const app = createMetricsApp({
    text: () => Promise.reject(new Error("secret")),
    contentType: "text/plain",
    ready: () => true,
  });
  const response = await app.request("/metrics");
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes("secret"));
});
