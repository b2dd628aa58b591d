import { test } from "../../support/test.ts";
import type { Case } from "../lab/lab_suite.ts";
import { missingRequirements } from "../lab/missing_requirements.ts";
import { Cluster } from "./cluster.ts";
import { findKubernetesPrograms } from "./programs.ts";

/**
 * Registers a test that runs cases in one cluster. Where the machine lacks something for that, the
 * test is left out, saying why; in CI (`CI=true`) it fails instead.
 */
export async function clusterSuite(
  name: string,
  body: (cluster: Cluster, step: Case) => Promise<void>,
): Promise<void> {
  const found = await findKubernetesPrograms();
  const missing = [
    ...await missingRequirements([]),
    ...("missing" in found ? found.missing : []),
  ];
  const title = `e2e: ${name}`;
  if (missing.length > 0 || "missing" in found) {
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
    await using cluster = await Cluster.create(found.programs);
    await body(cluster, async (stepName, fn) => {
      await t.step({
        name: stepName,
        // Processes of the cluster outlive a case; the test as a whole is checked.
        sanitizeOps: false,
        sanitizeResources: false,
        fn: async () => {
          try {
            await fn();
          } catch (error) {
            throw new Error(`${String(error)}\n${await cluster.tails()}`, { cause: error });
          } finally {
            await cluster.stopPods();
          }
        },
      });
    });
  });
}
