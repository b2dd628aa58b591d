import assert from "node:assert/strict";
import { createMetrics } from "../../lib/observability/metrics.ts";
import { familiesOf } from "../observability/exposition.ts";
import { test } from "../support/test.ts";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

const DASHBOARD = new URL("../../deploy/grafana/eddy.json", import.meta.url);
/** Words of PromQL that look like names. */
const WORDS = new Set([
  ...["sum", "count", "min", "max", "rate", "increase", "histogram_quantile", "by", "le"],
  ...["label_values"],
]);

/** Names of the metrics that a query reads. */
function metricsOf(query: string): string[] {
  const bare = query.replace(/\{[^}]*\}/g, " ").replace(/\[[^\]]*\]/g, " ")
    .replace(/\bby \([^)]*\)/g, " ").replace(/"[^"]*"/g, " ").replace(/\$\w+/g, " ");
  return [...bare.matchAll(/[a-z_][a-z0-9_]*/g)].map(([name]) => name)
    .filter((name) => !WORDS.has(name));
}

test("Grafana dashboard: it is over the agent's metrics, and over all of Eddy's own", async (t) => {
  const { panels, templating } = JSON.parse(await Deno.readTextFile(DASHBOARD)) as {
    panels: Panel[];
    templating: { list: { name: string; definition?: string }[] };
  };
  const { text } = createMetrics({ version: "1", rollout: true, layers: true });
  const families = familiesOf(await text());
  const queries = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr }))
  );
  assert.ok(queries.length > 20);
  const used = new Set<string>();
  for (const { title, expr } of queries) {
    await t.step(`${title}: ${expr}`, () => {
      const names = metricsOf(expr).map((name) => name.replace(/_bucket$/, ""));
      assert.ok(names.length > 0);
      for (const name of names) {
        used.add(name);
        assert.ok(families.has(name), `no metric ${name}`);
      }
    });
  }
  await t.step("each metric of Eddy's own is shown", () => {
    assert.deepEqual([...families].filter((name) => !used.has(name)), []);
  });
  await t.step("the chart has the same", async () => {
    const copy = new URL("../../deploy/helm/eddy/files/eddy.json", import.meta.url);
    assert.equal(await Deno.readTextFile(copy), await Deno.readTextFile(DASHBOARD));
  });
  await t.step("variables", () => {
    for (const { name, definition } of templating.list) {
      if (definition === undefined) continue;
      const [metric] = metricsOf(definition);
      assert.ok(families.has(metric ?? ""), `${name}: ${definition}`);
    }
  });
  await t.step("panels do not lie on each other", () => {
    const cells = new Set<string>();
    for (const { title, gridPos: { x, y, w, h } } of panels) {
      assert.ok(x + w <= 24, title);
      for (let at = 0; at < w * h; at++) {
        const cell = `${x + at % w},${y + Math.floor(at / w)}`;
        assert.ok(!cells.has(cell), `${title} at ${cell}`);
        cells.add(cell);
      }
    }
  });
});
