import assert from "node:assert/strict";
import { parseEnvironmentFile } from "../../lib/commands/service/environment_file.ts";
import { test } from "../support/test.ts";

const CASES: readonly [name: string, text: string, want: Record<string, string>][] = [
  ["nothing", "", {}],
  ["comments and blank lines", "# A=1\n; B=2\n\n  \n", {}],
  ["plain values, blanks around them cut", "A=1\n  B = 2\nC=  x y \n", { A: "1", C: "x y" }],
  ["the last one counts", "A=1\nA=2\n", { A: "2" }],
  ["quotes", `A="x y"\nB='x "y"'\nC="a \\"b\\""\n`, { A: "x y", B: 'x "y"', C: 'a "b"' }],
  ["a line that goes on", "A=x \\\ny\nB=1", { A: "x y", B: "1" }],
  ["a hash in a value", "A=x#y", { A: "x#y" }],
  ["what is no setting", "export A=1\nnonsense\n=x\n9A=1\nB=", { B: "" }],
  ["no newline at the end", "A=/etc/containerd/certs.d", { A: "/etc/containerd/certs.d" }],
];

test("environment file: read as systemd reads it", async (t) => {
  for (const [name, text, want] of CASES) {
    await t.step(name, () => {
      assert.deepEqual(Object.fromEntries(parseEnvironmentFile(text)), want);
    });
  }
});
