import assert from "node:assert/strict";
import { createMetrics } from "../../lib/observability/metrics.ts";
import type { AdvertisedImage } from "../../lib/observability/spegel_metrics.ts";
import { test } from "../support/test.ts";
import { familiesOf, samplesOf } from "./exposition.ts";

test("Spegel's metrics: under its names, only if they are asked for", async () => {
  const without = createMetrics({ version: "1" });
  assert.deepEqual(
    [...familiesOf(await without.text())].filter((f) => /^(spegel|http)_/.test(f)),
    [],
  );

  let advertised: AdvertisedImage[] = [
    { image: "docker.io/library/a:1", tags: ["docker.io/library/a:1"], digests: ["d1", "d2"] },
    { image: "docker.io/library/b:1", tags: [], digests: ["d2", "d3"] },
    { image: "quay.io/c:1", tags: ["quay.io/c:1"], digests: ["d4"] },
    { image: undefined, tags: [], digests: ["d5"] },
  ];
  const { metrics, observe, text } = createMetrics({ version: "1", spegel: true });
  assert.ok(!/^spegel_advertised/m.test(await text()));
  observe({ advertised: () => advertised });
  metrics.mirrorRequest("docker.io", "local", "");
  metrics.mirrorRequest("docker.io", "hit", "");
  metrics.mirrorRequest("docker.io", "miss", "no-peer");
  metrics.httpRequest("blob", "GET", 200, 1500, 4096);
  metrics.inFlight("blob", 1);
  metrics.resolveDuration(20);
  const found = samplesOf(await text());
  const blob = 'handler="blob",method="GET",code="200"';
  const expected: [sample: string, value: number][] = [
    ['spegel_mirror_requests_total{registry="docker.io",cache="hit"}', 1],
    ['spegel_mirror_requests_total{registry="docker.io",cache="miss"}', 1],
    ['spegel_resolve_duration_seconds_sum{router="libp2p"}', 0.02],
    ['spegel_advertised_image_tags{registry="docker.io"}', 1],
    ['spegel_advertised_image_digests{registry="docker.io"}', 2],
    ['spegel_advertised_content_digests{registry="docker.io"}', 3],
    ['spegel_advertised_content_digests{registry="quay.io"}', 1],
    [`http_request_duration_seconds_sum{${blob}}`, 1.5],
    [`http_response_size_bytes_sum{${blob}}`, 4096],
    [`http_response_size_bytes_bucket{le="5120",${blob}}`, 1],
    ['http_requests_inflight{handler="blob"}', 1],
  ];
  for (const [sample, value] of expected) assert.equal(found.get(sample), value, sample);
  assert.ok((found.get("spegel_mirror_last_success_timestamp_seconds") ?? 0) > 1.7e9);

  advertised = [];
  const later = samplesOf(await text());
  assert.ok(![...later.keys()].some((sample) => sample.startsWith("spegel_advertised")));
});
