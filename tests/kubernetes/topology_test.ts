import assert from "node:assert/strict";
import { readTopology } from "../../lib/kubernetes/topology.ts";
import { test } from "../support/test.ts";

test("topology: well-known labels before those that they replaced", async (t) => {
  const zone = "topology.kubernetes.io/zone";
  const region = "topology.kubernetes.io/region";
  const cases = [
    { labels: {}, want: {} },
    { labels: { [zone]: "a", [region]: "r" }, want: { zone: "a", region: "r" } },
    { labels: { [zone]: "a", [region]: "" }, want: { zone: "a" } },
    { labels: { "failure-domain.beta.kubernetes.io/zone": "b" }, want: { zone: "b" } },
    {
      labels: { "failure-domain.beta.kubernetes.io/region": "old", [region]: "new" },
      want: { region: "new" },
    },
    { labels: { zone: "a" }, want: {} },
  ];
  for (const { labels, want } of cases) {
    await t.step(JSON.stringify(labels), () => assert.deepEqual(readTopology(labels), want));
  }
});
