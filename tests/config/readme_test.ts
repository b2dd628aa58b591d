import assert from "node:assert/strict";
import { renderOptionTable } from "../../lib/config/help.ts";
import { test } from "../support/test.ts";

const BEGIN = "<!-- options: generated from lib/config/options.ts, checked by a test -->\n";
const END = "\n<!-- options end -->";

test("README: the table of options is that of the program (UPDATE_README=1 rewrites it)", async () => {
  const path = new URL("../../README.md", import.meta.url);
  const readme = await Deno.readTextFile(path);
  const begin = readme.indexOf(BEGIN) + BEGIN.length;
  const end = readme.indexOf(END);
  assert(begin >= BEGIN.length && end > begin, "the README has the markers of the table");
  const want = `\n${renderOptionTable()}\n`;
  if (Deno.env.get("UPDATE_README") === "1") {
    await Deno.writeTextFile(path, readme.slice(0, begin) + want + readme.slice(end));
  } else {
    assert.equal(columns(readme.slice(begin, end)), columns(want));
  }
});

/** The formatter pads columns; only what is in them counts. */
function columns(table: string): string {
  return table.trim().replaceAll(/ *\| */g, "|").replaceAll(/-{3,}/g, "---");
}
