import { type Case, casesOf, testWith } from "../../support/test.ts";
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
  testWith(missing, `e2e: ${name}`, async (t) => {
    if ("missing" in found) throw new Error(`this machine lacks ${found.missing.join(", ")}`);
    await using cluster = await Cluster.create(found.programs);
    const stopPods = () => cluster.stopPods();
    await body(cluster, casesOf(t, { after: stopPods, explain: () => cluster.tails() }));
  });
}
