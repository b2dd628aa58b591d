import assert from "node:assert/strict";
import { DISTRIBUTIONS } from "../../lib/store/containerd/distributions.ts";
import { test } from "../support/test.ts";
import { tableRows } from "./markdown.ts";

const page = await Deno.readTextFile(new URL("../../docs/compatibility.md", import.meta.url));

/** Rows of the table under a heading. */
function tableUnder(heading: string): string[][] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  return tableRows(section.split("\n## ")[0] ?? "");
}

test("compatibility: the paths are those of the program, a row a distribution", () => {
  const want = DISTRIBUTIONS.map((each) => [
    each.name,
    `\`${each.id}\``,
    `\`/${each.socketPath}\``,
    `\`/${each.dataPath}\``,
    `\`/${each.registryConfigPath}\``,
    `\`/${each.configFile}\``,
    { true: "yes", false: "no", undefined: "not known" }[`${each.discardsLayers}`],
  ]);
  const rows = tableUnder("Paths");
  assert.deepEqual(rows.map((row) => row.slice(0, -1)), want);
  const seen = new Set(rows.map((row) => row.at(-1)));
  assert.deepEqual(seen, new Set(["run", "stand-in", "read"]));
});

test("compatibility: what each needs is what the doctor says", () => {
  const rows = tableUnder("What each distribution does");
  assert.deepEqual(
    rows.map(([name, remark, setting]) => [name, remark, setting]),
    DISTRIBUTIONS.map(({ name, remark, setting }) => [name, remark, setting]),
  );
  for (const [name, , , source = ""] of rows) assert.match(source, /^[\w-]+\/[\w-]+/, name);
});

test("compatibility: the doctor recognises the runtimes that are named, and no other", async () => {
  const source = await Deno.readTextFile(
    new URL("../../lib/commands/doctor/node_checks.ts", import.meta.url),
  );
  const names = [...source.matchAll(/^ {4}name: "([^"]+)"/gm)].map(([, name]) => name);
  assert.deepEqual(tableUnder("Other runtimes").map(([name]) => name), names);
});
