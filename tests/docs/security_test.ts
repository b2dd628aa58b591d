import assert from "node:assert/strict";
import { ATTEMPTS, formatAttempts } from "../e2e/lab/attacker/attempts.ts";
import { CASES, formatCases } from "../hostile/cases.ts";
import { formatThreats, THREATS } from "../hostile/threats.ts";
import { test } from "../support/test.ts";

const HOSTILE = new URL("../hostile/", import.meta.url);

/** A table's cells, however wide the formatter made its columns. */
function cells(markdown: string): string[][] {
  return markdown.split("\n").filter((line) => line.startsWith("|") && !/^[|\s-]+$/.test(line))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

/** The part of docs/security.md below a heading; without one, what comes before the first. */
async function section(heading?: string): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
  const [, part = ""] = heading === undefined ? ["", text] : text.split(`## ${heading}\n`);
  return part.split("\n## ")[0] ?? "";
}

test("security: the table of threats is the list whose cases are played", async () => {
  assert.deepEqual(cells(await section()), cells(formatThreats()));
});

test("security: the table of attempts is the list that the end-to-end test makes", async () => {
  assert.deepEqual(cells(await section("What an attacker gets")), cells(formatAttempts()));
});

test("security: the table of hostile cases is the list that the hostile suite plays", async () => {
  assert.deepEqual(cells(await section("What hostile neighbours get")), cells(formatCases()));
});

test("security: each case is played, and proves an answer to a threat", async () => {
  const proving = new Set<string>(THREATS.flatMap(({ cases }) => cases));
  const names = [...Object.keys(CASES), ...Object.keys(ATTEMPTS)];
  assert.deepEqual(names.filter((name) => !proving.has(name)), [], "proves nothing");
  let suite = "";
  for await (const { name } of Deno.readDir(HOSTILE)) {
    if (name.endsWith("_test.ts")) suite += await Deno.readTextFile(new URL(name, HOSTILE));
  }
  const played = (name: string) => new RegExp(`\\bplay\\(\\s*step,\\s*"${name}"`).test(suite);
  assert.deepEqual(Object.keys(CASES).filter((name) => !played(name)), [], "not played");
});
