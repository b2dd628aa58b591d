import assert from "node:assert/strict";
import { runProgram } from "../support/run_program.ts";
import { test } from "../support/test.ts";

const MAIN = new URL("../../demo/main.ts", import.meta.url).pathname;

const demo = (...args: string[]) => runProgram(MAIN, ...args);

test("demo: nodes pull from peers with upstream off", async () => {
  const { code, stdout, stderr } = await demo();
  assert.equal(code, 0, stderr);
  const rows = stdout.split("\n").filter((line) => /^node \d +(manifest|config|layer)/.test(line));
  assert.equal(rows.length, 27);
  for (const row of rows) {
    assert.match(row, /^node 1 .* upstream |^node 2 .* node [13] |^node 3 .* node [12] /);
  }
});

test("demo: a rollout, and what it cost upstream", async () => {
  const { code, stdout, stderr } = await demo("--rollout");
  assert.equal(code, 0, stderr);
  const rows = stdout.split("\n").filter((line) => /^node [1-6] +\d/.test(line));
  assert.equal(rows.length, 6, stdout);
  const images = Number(/Upstream sent (\d+\.\d+) images/.exec(stdout)?.[1]);
  // How few depends on how busy the machine is; more than each for itself it never is.
  assert.ok(images >= 1 && images <= 6, stdout);
});

test("demo: a flag that does not exist is told in one line, exit code 2", async () => {
  const { code, stderr } = await demo("--fly");
  assert.equal(code, 2);
  assert.match(stderr, /^demo: Unknown option '--fly'.*\n$/);
});
