import assert from "node:assert/strict";
import { parse } from "yaml";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { createMetrics } from "../../lib/observability/metrics.ts";
import { familiesOf } from "../observability/exposition.ts";
import { test } from "../support/test.ts";

const ROOT = new URL("../../", import.meta.url);
const VERDICTS = new Set(["same", "better", "not there"]);

const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

/** Rows of all tables, without their heads. */
function rows(markdown: string): string[][] {
  return markdown.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()))
    .filter(([first = ""]) => first !== "Spegel" && !/^-+$/.test(first));
}

/** Flags in code, and of Eddy's commands in blocks of code. */
function flagsIn(markdown: string): string[] {
  const blocks = /^```[^]*?^```$/gm;
  const commands = [...markdown.matchAll(blocks)]
    .flatMap(([block]) => block.match(/(?:^|\/|IMAGE )(?:eddy [a-z-]+|agent) .*$/gm) ?? []);
  const inline = markdown.replaceAll(blocks, "").match(/`[^`]+`/g) ?? [];
  return [...commands, ...inline].flatMap((code) => [...code.matchAll(/--([a-z][a-z-]+)/g)])
    .map(([, flag = ""]) => flag);
}

test("comparison: no cell is empty, and each row has a verdict", async () => {
  const all = rows(await read("docs/comparison.md"));
  assert.ok(all.length > 90, `${all.length} rows`);
  for (const cells of all) {
    assert.equal(cells.length, 4, cells.join(" | "));
    for (const cell of cells) assert.notEqual(cell, "", cells.join(" | "));
    assert.ok(VERDICTS.has(cells[2] ?? ""), cells.join(" | "));
  }
});

const PAGES = [
  "comparison",
  "operations",
  "install",
  "bootstrap",
  "security",
  "glossary",
  "peer-protocol",
]
  .map((name) => `docs/${name}.md`);

for (const path of ["README.md", ...PAGES]) {
  test(`${path}: what is named exists`, async (t) => {
    const text = await read(path);
    await t.step("flags", () => {
      const flags = new Set(OPTION_ROWS.map(({ flag }) => flag));
      for (const flag of flagsIn(text)) {
        if (/^(set|reuse-values|create-namespace|no-hooks|user)$/.test(flag)) continue;
        assert.ok(flags.has(flag), `--${flag}`);
      }
    });
    await t.step("metrics", async () => {
      const { text: exposition } = createMetrics({
        version: "1",
        rollout: true,
        layers: true,
        spegel: true,
      });
      const families = familiesOf(await exposition());
      for (const [name] of text.matchAll(/\b(?:eddy|spegel|http|process)_[a-z_]+[a-z]\b/g)) {
        assert.ok(families.has(name), name);
      }
    });
    await t.step("values of the chart", async () => {
      const values = parse(await read("deploy/helm/eddy/values.yaml"));
      for (const [, path = ""] of text.matchAll(/`eddy\.([a-zA-Z.]+[a-zA-Z])`/g)) {
        const found = path.split(".").reduce((at, key) => at?.[key], values.eddy);
        assert.notEqual(found, undefined, `eddy.${path}`);
      }
    });
  });
}
