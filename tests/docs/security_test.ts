import assert from "node:assert/strict";
import { formatAttempts } from "../e2e/lab/attacker/attempts.ts";
import { test } from "../support/test.ts";

/** A table's cells, however wide the formatter made its columns. */
function cells(markdown: string): string[][] {
  return markdown.split("\n").filter((line) => line.startsWith("|") && !/^[|\s-]+$/.test(line))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

test("security: the table of attempts is the list that the end-to-end test makes", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
  const [, section = ""] = text.split("## What an attacker gets\n");
  assert.deepEqual(cells(section.split("\n## ")[0] ?? ""), cells(formatAttempts()));
});
