import assert from "node:assert/strict";
import { PERMISSIONS } from "../../deploy/permissions.ts";
import { DATA_FILES } from "../../lib/commands/remove_data.ts";
import { readSource, sourceFiles } from "../architecture/source_files.ts";
import { test } from "../support/test.ts";
import { tableRows } from "./markdown.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const project = JSON.parse(await read("deno.json"));
const source = (await Promise.all((await sourceFiles()).map(readSource))).join("\n")
  // Texts that go on in the next line.
  .replaceAll(/["`] \+\s+["`]/g, "");

test("README: read in five minutes", async () => {
  const { size } = await Deno.stat(new URL("README.md", ROOT));
  assert.ok(size <= 6_500, `${size} bytes`);
  const picture = await Deno.stat(new URL("docs/images/debug-page.png", ROOT));
  assert.ok(picture.size <= 200_000, `${picture.size} bytes`);
});

for (const path of ["README.md", "CONTRIBUTING.md", "docs/install.md", "docs/operations.md"]) {
  test(`${path}: each task exists`, async () => {
    const text = await read(path);
    const named = [...text.matchAll(/\btask ([a-z][a-z:0-9-]+)/g)].map(([, name]) => name);
    assert.deepEqual(named.filter((name) => !(`${name}` in project.tasks)), []);
  });
}

test("CONTRIBUTING: the map has each folder of the program, and no other", async () => {
  const text = await read("CONTRIBUTING.md");
  const mapped = [...text.matchAll(/^((?:lib|demo)\/\S*) /gm)].map(([, path]) => path);
  const there = new Set((await sourceFiles()).flatMap((path) => {
    const [, room] = /^(lib\/(?:(?:mirror|router)\/)?[^/]+\/)/.exec(path) ?? [];
    return room === undefined ? [] : [room];
  }));
  for (const path of mapped) await Deno.stat(new URL(`${path}`, ROOT));
  assert.deepEqual([...there].filter((path) => !mapped.includes(path)), []);
});

test("CONTRIBUTING: each dependency is there, with its reason", async () => {
  const [, list = ""] = (await read("CONTRIBUTING.md")).split("## Dependencies");
  const reasons = [...list.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  const has = (name: string) =>
    reasons.some((reason) => reason === name || name.startsWith(reason.replace(/\*$/, "")));
  const imports: string[] = Object.keys(project.imports).filter((n) => !n.startsWith("@types/"));
  assert.deepEqual(imports.filter((name) => !has(name)), []);
});

test("operations: each file of the data directory is described, and removed by cleanup", async () => {
  const [, table = ""] = (await read("docs/operations.md")).split("\n## Data directory\n");
  const files = [...table.split("\n## ")[0]?.matchAll(/^\| `([^`]+)`/gm) ?? []];
  assert.deepEqual(files.map(([, name = ""]) => name), DATA_FILES);
});

test("operations: log lines and reasons that are explained exist", async () => {
  const text = await read("docs/operations.md");
  const firsts = ["Log line", "What you see", "`withheld`", "File"].flatMap((head) => {
    const [, table = ""] = text.split(`\n| ${head} `);
    return tableRows(table.split("\n\n")[0] ?? "").map(([cell = ""]) => cell);
  });
  const quoted = firsts.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, t = ""]) => t));
  const parts = quoted.filter((text) => / |^[a-z]+([-.][a-z]+)*$/.test(text))
    .flatMap((text) => text.split("…")).map((part) => part.trim()).filter((part) => part !== "");
  assert.ok(parts.length > 15, `${parts.length} parts`);
  assert.deepEqual(parts.filter((part) => !source.includes(part)), []);
});

test("install: clients are of the versions that CI runs, which are tested end to end", async () => {
  const [, table = ""] = (await read("docs/install.md")).split("\n| Client ");
  const rows = tableRows(table.split("\n\n")[0] ?? "").map(([cell = ""]) => cell.split(" "));
  const versions = Object.fromEntries(rows);
  const ci = await read(".ci/run");
  for (const client of ["containerd", "crane"]) {
    const [, version] = new RegExp(`${client}_VERSION=(\\d+\\.\\d+)`, "i").exec(ci) ?? [];
    assert.equal(versions[client], version);
  }
  const tested = await read("tests/e2e/lab/clients/clients.ts");
  const clients = [...tested.matchAll(/^ {4}(\w+): /gm)].map(([, name]) => name);
  const names = Object.keys(versions).map((name) => name === "containerd" ? "ctr" : name);
  assert.deepEqual(names.filter((name) => name !== "buildkit").sort(), clients.sort());
});

test("security: the paths that the binary is granted or denied are those it is compiled with", async () => {
  const [, section = ""] = (await read("docs/security.md")).split("## Permissions\n");
  const paths = [...(section.split("\n## ")[0] ?? "").matchAll(/`(\/[^`]+)`/g)];
  const compiled = PERMISSIONS.join(",").split(/[,=]/);
  assert.ok(paths.length >= 5, `${paths.length} paths`);
  assert.deepEqual(paths.map(([, path = ""]) => path).filter((p) => !compiled.includes(p)), []);
});
