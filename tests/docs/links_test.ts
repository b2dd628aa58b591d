import assert from "node:assert/strict";
import { test } from "../support/test.ts";
import { anchors, relativeLinks } from "./markdown.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

/** Paths of all pages below the project. */
async function pages(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(directory, ROOT))) {
    if (isDirectory) found.push(...await pages(`${directory}${name}/`));
    else if (name.endsWith(".md")) found.push(`${directory}${name}`);
  }
  return found.toSorted();
}

const own = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
const folders = ["docs/", "deploy/", "tests/"];
const PAGES = [...own, ...(await Promise.all(folders.map(pages))).flat()];

for (const path of PAGES) {
  test(`${path}: each link leads somewhere`, async () => {
    for (const link of relativeLinks(await read(path))) {
      const target = new URL(link.path === "" ? path : link.path, new URL(path, ROOT));
      const name = `${link.path}#${link.anchor}`;
      const file = link.path === "" ? new URL(path, ROOT) : target;
      const { isFile } = await Deno.stat(file).catch(() => assert.fail(`${name}: not there`));
      if (link.anchor === "") continue;
      assert.ok(isFile && file.pathname.endsWith(".md"), `${name}: an anchor of no page`);
      const there = anchors(await Deno.readTextFile(file));
      assert.ok(there.has(link.anchor), `${name}: no such heading, there are ${[...there]}`);
    }
  });
}

test("links and anchors are read as GitHub reads them", () => {
  const page = [
    "# A `code` & [link](x.md)",
    "## Twice",
    "## Twice",
    "[a](b.md#c) ![p](d.png) [e](#f) [g](https://h.example/i#j) `[k](l)`",
    "```md",
    "# not a heading [m](n)",
    "```",
  ].join("\n");
  assert.deepEqual([...anchors(page)], ["a-code--link", "twice", "twice-1"]);
  assert.deepEqual(relativeLinks(page), [
    { path: "x.md", anchor: "" },
    { path: "b.md", anchor: "c" },
    { path: "d.png", anchor: "" },
    { path: "", anchor: "f" },
  ]);
});
