import assert from "node:assert/strict";
import { parse } from "yaml";
import { createMetrics } from "../../lib/observability/metrics.ts";
import { familiesOf } from "../observability/exposition.ts";
import { test } from "../support/test.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const { groups } = parse(await read("deploy/helm/eddy/files/alerts.yaml")) as {
  groups: { rules: Alert[] }[];
};
const alerts = groups.flatMap(({ rules }) => rules);

test("alerts: each has a runbook entry, and each entry its alert", async () => {
  const [, section = ""] = (await read("docs/operations.md")).split("\n## Alerts\n");
  const entries = [...section.split("\n## ")[0]?.matchAll(/^### (\w+)$/gm) ?? []];
  assert.ok(alerts.length >= 8);
  assert.deepEqual(entries.map(([, name = ""]) => name), alerts.map(({ alert }) => alert));
});

test("alerts: each is over metrics that there are, waits, and says what it is", async () => {
  const families = familiesOf(await createMetrics({ version: "1", rollout: true }).text());
  for (const { alert, expr, for: wait, labels, annotations } of alerts) {
    const names = [...expr.matchAll(/\b(?:eddy_\w+|up\{)/g)].map(([name]) => name);
    assert.ok(names.length > 0, alert);
    assert.deepEqual(names.filter((name) => name !== "up{" && !families.has(name)), [], alert);
    assert.match(wait, /^\d+[mh]$/, alert);
    assert.match(labels["severity"] ?? "", /^(info|warning|critical)$/, alert);
    assert.match(annotations["summary"] ?? "", /\.$/, alert);
    const anchor = `docs/operations.md#${alert.toLowerCase()}`;
    assert.equal(annotations["runbook_url"], anchor);
  }
});

test("alerts: reasons and outcomes in them are those that the program has", async () => {
  const [ports, miss] = await Promise.all([
    read("lib/ports/access.ts"),
    read("lib/ports/mirror.ts"),
  ]);
  const values = alerts.flatMap(({ expr }) =>
    [...expr.matchAll(/(?:reason|outcome)=~?"([^"]+)"/g)].flatMap(([, text = ""]) =>
      text.split("|")
    )
  );
  assert.ok(values.length >= 5);
  assert.deepEqual(values.filter((value) => !`${ports}${miss}`.includes(`"${value}"`)), []);
});
