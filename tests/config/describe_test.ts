import assert from "node:assert/strict";
import { describeConfig } from "../../lib/config/describe.ts";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";

function described(...args: string[]) {
  const config = configOf("agent", args);
  return new Map(describeConfig(config, "agent").map((option) => [option.flag, option]));
}

test("describe: without settings everything is at its default", () => {
  const options = described();
  assert.equal(options.size, OPTION_ROWS.filter((row) => row.commands.includes("agent")).length);
  for (const { flag, isDefault } of options.values()) assert.ok(isDefault, flag);
});

test("describe: values read as users write them", () => {
  const cases: [args: string[], value: string][] = [
    [["--registry-addr", "127.0.0.1:5000"], "127.0.0.1:5000"],
    [["--registry-addr", "[::1]:5000"], "[::1]:5000"],
    [["--mirror-resolve-timeout", "90500ms"], "1m30s500ms"],
    [["--registry-filters", "(?i)^a/", "b{1,2}"], "(?i)^a/ b{1,2}"],
    [["--resolve-tags=false"], "false"],
    [["--mirrored-registries", "docker.io,quay.io"], "docker.io quay.io"],
  ];
  for (const [args, value] of cases) {
    const flag = args[0]?.slice(2).replace(/=.*/, "") ?? "";
    assert.deepEqual(
      [described(...args).get(flag)?.value, described(...args).get(flag)?.isDefault],
      [value, false],
    );
  }
});
