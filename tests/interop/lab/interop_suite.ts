import { cacheEddy } from "../../e2e/lab/eddy_command.ts";
import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import { missingRequirements } from "../../e2e/lab/missing_requirements.ts";
import { type Case, casesOf, testWith } from "../../support/test.ts";
import { InteropLab, type Side } from "./interop_lab.ts";
import { goNode, spegelBinary } from "./kinds.ts";

/**
 * Registers a test that runs cases in one lab. Where the machine lacks something for that, the test
 * is left out, saying why; in CI (`CI=true`) it fails instead.
 */
export async function interopSuite(
  name: string,
  { id, sides }: { readonly id: string; readonly sides: readonly Side[] },
  body: (lab: InteropLab, step: Case) => Promise<void>,
): Promise<void> {
  testWith(await lacking(), `interop: ${name}`, async (t) => {
    await cacheEddy();
    await using lab = await InteropLab.create(id, sides);
    await body(lab, casesOf(t, { after: () => lab.stopAll(), explain: () => lab.tails() }));
  });
}

async function lacking(): Promise<string[]> {
  const missing = await missingRequirements(
    spegelBinary() === undefined ? [] : [containerdReleases().current],
  );
  return [...missing, ...await missingPeers()];
}

/** Executables of peers that are not there. */
export async function missingPeers(): Promise<string[]> {
  const missing: string[] = [];
  for (const file of [goNode(), ...[spegelBinary() ?? []].flat()]) {
    const there = await Deno.stat(file).then((info) => info.isFile, () => false);
    if (!there) missing.push(file);
  }
  return missing;
}
