import assert from "node:assert/strict";
import { renderChartReadme } from "../../deploy/docs/chart_readme.ts";
import { generatedPages } from "../../deploy/docs/write.ts";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { test } from "../support/test.ts";

const ROOT = new URL("../../", import.meta.url);

/** The formatter breaks lines; only the words count. */
const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

for (const [path, text] of Object.entries(await generatedPages())) {
  test(`${path} is what is generated (deno task docs)`, async () => {
    const written = await Deno.readTextFile(new URL(path, ROOT));
    assert.deepEqual(words(written), words(text));
  });
}

test("docs/configuration.md has each option once", async () => {
  const text = await Deno.readTextFile(new URL("docs/configuration.md", ROOT));
  const flags = [...text.matchAll(/^### `--([a-z-]+)/gm)].map(([, flag]) => flag);
  assert.deepEqual(flags.toSorted(), OPTION_ROWS.map(({ flag }) => flag).toSorted());
});

test("the chart's README: values, defaults and comments, in sections", () => {
  const values = `
# @section -- Image

image:
  # -- Where it is,
  # in two lines.
  repository: eddy
# -- All at once.
resources:
  limits:
    memory: 1Gi

# @section -- Other

# -- A list.
taints: [a]
`;
  const text = renderChartReadme(values);
  assert.equal(
    text.slice(text.indexOf("\n## ")),
    `
## Image

- \`image.repository\` (default \`"eddy"\`): Where it is, in two lines.
- \`resources\` (default \`{"limits":{"memory":"1Gi"}}\`): All at once.

## Other

- \`taints\` (default \`["a"]\`): A list.
`,
  );
});

test("the chart's README: a value without a comment is named", () => {
  assert.throws(
    () => renderChartReadme("# -- One.\na: 1\nb:\n  # -- Two.\n  c: 2\n  d: 3\n"),
    /values\.yaml: b\.d has no comment/,
  );
});
