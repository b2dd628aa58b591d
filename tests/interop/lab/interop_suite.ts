import { cacheEddy } from "../../e2e/lab/eddy_command.ts";
import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import { missingRequirements } from "../../e2e/lab/missing_requirements.ts";
import { test } from "../../support/test.ts";
import { InteropLab, type Side } from "./interop_lab.ts";
import { goNode, spegelBinary } from "./kinds.ts";

/** Adds a case; all nodes are stopped before and after it. */
export type Case = (name: string, fn: () => Promise<void>) => Promise<void>;

/**
 * Registers a test that runs cases in one lab. Where the machine lacks something for that, the test
 * is left out, saying why; in CI (`CI=true`) it fails instead.
 */
export async function interopSuite(
  name: string,
  { id, sides }: { readonly id: string; readonly sides: readonly Side[] },
  body: (lab: InteropLab, step: Case) => Promise<void>,
): Promise<void> {
  const title = `interop: ${name}`;
  const missing = await lacking();
  if (missing.length > 0) {
    const reason = `left out, this machine lacks ${missing.join(", ")}`;
    if (Deno.env.get("CI") === "true") {
      test(title, () => {
        throw new Error(reason);
      });
    } else {
      Deno.test({ name: `${title} (${reason})`, ignore: true, fn: () => {} });
    }
    return;
  }
  test(title, async (t) => {
    await cacheEddy();
    await using lab = await InteropLab.create(id, sides);
    await body(lab, async (stepName, fn) => {
      await t.step({
        name: stepName,
        // Processes of the lab outlive a case; the test as a whole is checked.
        sanitizeOps: false,
        sanitizeResources: false,
        fn: async () => {
          try {
            await fn();
          } catch (error) {
            throw new Error(`${String(error)}\n${await lab.tails()}`, { cause: error });
          } finally {
            await lab.stopAll();
          }
        },
      });
    });
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
