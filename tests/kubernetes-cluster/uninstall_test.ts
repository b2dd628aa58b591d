import assert from "node:assert/strict";
import type { Check } from "../../lib/ports/check.ts";
import { report } from "../e2e/lab/report.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

/** Features that use the API server, and an exposure that only the proxy keeps on the node. */
const VALUES = [
  "service.registry.exposure=NodePort",
  "eddy.nodeTopology=true",
  "cleanup.timeoutSeconds=30",
];

await clusterSuite("an uninstall that misses a node", async (cluster, step) => {
  const { eddy, nodes } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const before = await Promise.all(nodes.map((node) => node.hostsFiles()));

  await step("the chart is installed", async () => {
    await eddy.install(VALUES);
    await eddy.untilConnected();
  });

  await step(
    "the doctor finds its own agent behind a NodePort, and containerd's file",
    async () => {
      for (const node of nodes) {
        const { stdout } = await eddy.exec(node, ["doctor", "--json"], { allowFailure: true });
        const checks: Check[] = JSON.parse(stdout);
        for (const name of ["mirror endpoint is this node", "containerd's configuration file"]) {
          const check = checks.find((each) => each.name === name);
          assert.equal(check?.state, "ok", `${node.name}: ${JSON.stringify(check)}`);
        }
      }
    },
  );

  await step(
    "a node that is not ready fails it, by name; the others are as they were",
    async () => {
      await n3.stop("kubelet");
      await cluster.untilReady(n3, false);
      const start = performance.now();
      await assert.rejects(eddy.uninstall(), (error) => {
        report(`failed after ${seconds(performance.now() - start)}`);
        assert.match(String(error), new RegExp(`1 of 3 nodes: ${n3.name} \\(its pod is Pending`));
        return true;
      });
      for (const [index, node] of [n1, n2].entries()) {
        assert.deepEqual(await node.hostsFiles(), before[index], node.name);
        assert.equal((await node.run(["ls", "-A", "/var/lib/eddy"])).stdout, "");
      }
      assert.notDeepEqual(await n3.hostsFiles(), before[2]);
    },
  );

  await step("once the node is back, installing and uninstalling restores it", async () => {
    n3.startKubelet();
    await cluster.untilReady(n3);
    await eddy.install(VALUES);
    await eddy.uninstall();
    assert.deepEqual(await Promise.all(nodes.map((node) => node.hostsFiles())), before);
  });
});
