import assert from "node:assert/strict";
import { test } from "../support/test.ts";
import { readSource, sourceFiles } from "./source_files.ts";
import { checkSource } from "./source_rules.ts";

/** No exceptions: what is longer has parts that have names of their own. */
const LIMITS = { maxFileLines: 300, maxFunctionLines: 60 };
const body = (lines: number, indentation: string) =>
  Array.from({ length: lines }, (_, i) => `${indentation}  statement(${i});`);

/** Heads of functions, each with the indentation and the closing line that go with it. */
const HEADS: [head: string[], indentation: string, close: string, name: string][] = [
  [["export function plain(a: string): void {"], "", "}", "plain"],
  [["async function later() {"], "", "}", "later"],
  [["function* generator(): Generator<number> {"], "", "}", "generator"],
  [["export function split(", "  a: string,", "): void {"], "", "}", "split"],
  [["export function taken({", "  a,", "}: { a: string }): void {"], "", "}", "taken"],
  [["const arrow = (a: string) => {"], "", "};", "arrow"],
  [["class A {", "  method(): void {"], "  ", "  }", "method"],
  [["class A {", "  async #hidden(a: string): Promise<void> {"], "  ", "  }", "#hidden"],
  [["class A {", "  constructor(a: string) {"], "  ", "  }", "constructor"],
  [["class A {", "  get value(): string {"], "  ", "  }", "value"],
  [["class A {", "  static make(", "    a: string,", "  ): A {"], "  ", "  }", "make"],
];

test("source rules: functions that are too long are found, whatever their form", () => {
  for (const [head, indentation, close, name] of HEADS) {
    const own = head.length - (head[0] === "class A {" ? 1 : 0);
    const text = (lines: number) =>
      [...head, ...body(lines - own - 1, indentation), close, ""].join("\n");
    assert.deepEqual(checkSource("lib/a.ts", text(60), LIMITS), [], name);
    const [told, ...more] = checkSource("lib/a.ts", text(61), LIMITS);
    assert.ok(told?.includes(` ${name} has 61 lines`), `${name}: ${told}`);
    assert.deepEqual(more, []);
  }
});

test("source rules: long statements, objects and interfaces are no functions", () => {
  for (const head of ["  if (a) {", "  for (const a of b) {", "  interface A {", "  const a = {"]) {
    const text = [head, ...body(100, "  "), "  }", ""].join("\n");
    assert.deepEqual(checkSource("lib/a.ts", text, LIMITS), [], head);
  }
});

test("source rules: long files, exits, the console and careless writes are found", () => {
  const long = "x;\n".repeat(301);
  const cases: [path: string, text: string, told: RegExp | undefined][] = [
    ["lib/a.ts", long, /301 lines/],
    ["lib/a.ts", "x;\n".repeat(300), undefined],
    ["lib/a.ts", "Deno.exit(1);\n", /ends the process/],
    ["lib/a.ts", "process.exit(1);\n", /ends the process/],
    ["main.ts", "Deno.exit(1);\n", undefined],
    ["lib/a.ts", "  console.log(1);\n", /console/],
    ["main.ts", "console.error(1);\n", /console/],
    ["lib/a.ts", "await Deno.rename(a, b);\n", /writes a file by itself/],
    ["lib/files/a.ts", "await Deno.rename(a, b);\n", undefined],
    ["lib/a.ts", "const a = await fetch(url);\n", /fetches without a client/],
    ["lib/a.ts", "using client = createHttpClient(url);\nawait fetch(url);\n", undefined],
    ["lib/a.ts", "Deno.createHttpClient({});\n", /makes an HTTP client/],
    ["lib/net/http_client.ts", "Deno.createHttpClient({});\n", undefined],
    ["lib/a.ts", "// not console.log\n/** nor Deno.exit */\n", undefined],
  ];
  for (const [path, text, told] of cases) {
    const violations = checkSource(path, text, LIMITS);
    assert.equal(violations.length, told === undefined ? 0 : 1, text.slice(0, 40));
    if (told) assert.match(violations[0] ?? "", told);
  }
});

test("source rules: the application keeps them", async () => {
  const files = await sourceFiles();
  assert.ok(files.length > 50);
  const violations = await Promise.all(
    files.map(async (path) => checkSource(path, await readSource(path), LIMITS)),
  );
  assert.deepEqual(violations.flat(), []);
});
