import assert from "node:assert/strict";
import { missingRequirements } from "../../e2e/lab/missing_requirements.ts";
import { containerdReleases } from "../../e2e/lab/containerd_release.ts";
import { report } from "../../e2e/lab/report.ts";
import { type Case, casesOf, testWith } from "../../support/test.ts";
import { type ClusterOptions, KubernetesCluster } from "./cluster.ts";
import { machineState } from "./machine_state.ts";
import { findClusterPrograms } from "./programs.ts";

const TOOLS = ["nsenter", "unshare", "iptables", "bash"];

/**
 * Registers a test that runs cases in one cluster, and checks that the machine is afterwards as it was.
 * Where it lacks something for that, the test is left out, saying why; in CI (`CI=true`) it fails
 * instead.
 */
export async function clusterSuite(
  name: string,
  body: (cluster: KubernetesCluster, step: Case) => Promise<void>,
  options: ClusterOptions = {},
): Promise<void> {
  const found = await findClusterPrograms();
  const missing = [
    ...await missingRequirements([containerdReleases().current], TOOLS),
    ..."missing" in found ? found.missing : [],
  ];
  if ((Deno.env.get("EDDY_IMAGE") ?? "") === "") {
    missing.push("an OCI archive of the image, which EDDY_IMAGE names");
  }
  testWith(missing, `cluster: ${name}`, async (t) => {
    if ("missing" in found) throw new Error(`this machine lacks ${found.missing.join(", ")}`);
    const before = await machineState();
    {
      const start = performance.now();
      await using cluster = await KubernetesCluster.create(found.programs, options);
      report(
        `cluster of ${cluster.nodes.length} nodes up in ${seconds(performance.now() - start)}`,
      );
      await body(cluster, casesOf(t, { explain: () => cluster.tails() }));
    }
    assert.deepEqual(await machineState(), before, "what the cluster left on the machine");
  });
}

/** A time for a report, e.g. `7.1 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
