import assert from "node:assert/strict";
import { referenceFilterOf } from "../../lib/agent/reference_filter.ts";
import { test } from "../support/test.ts";

const OPEN = { mirroredRegistries: [], resolveTags: true, resolveLatestTag: true };

function filter(...registryFilters: string[]) {
  return referenceFilterOf({ ...OPEN, registryFilters });
}

test("registry filters are read as Go reads them", async () => {
  const cases: [expression: string, matches: boolean][] = [
    [String.raw`\Areg\.test/big`, true],
    [String.raw`^reg\.test/[[:alpha:]]+/one`, true],
    [String.raw`\Qreg.test/big\E`, true],
    [String.raw`^reg\.test/\pL+/one`, true],
    [String.raw`^reg\.test/big/one(:[^@]*)?\z`, true],
    ["(?i)^REG", true],
    ["(?P<host>reg)", true],
    ["^big", false],
    [String.raw`\d\d`, false],
    [String.raw`\x{41}`, false],
  ];
  for (const [expression, matches] of cases) {
    const passes = await filter(expression);
    for (let time = 0; time < 3; time++) {
      assert.equal(passes({ registry: "reg.test", repository: "big/one", tag: "1" }), !matches);
    }
  }
});

test("a registry filter that Go does not take is refused by its flag and text", async () => {
  for (
    const expression of ["(a", "(?=a)", String.raw`a\Z`, "[[:foo:]]", "(?<!a)b", String.raw`(a)\1`]
  ) {
    await assert.rejects(filter("^fine$", expression), (error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.name, "ConfigError");
      assert.ok(
        error.message.startsWith(`--registry-filters: got ${JSON.stringify(expression)}, want `),
        error.message,
      );
      return true;
    });
  }
});
