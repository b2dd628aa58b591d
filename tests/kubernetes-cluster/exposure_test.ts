import assert from "node:assert/strict";
import { report } from "../e2e/lab/report.ts";
import { pullFromPeers } from "./lab/pull_from_peers.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

await clusterSuite("how containerd reaches the agent", async (cluster, step) => {
  const { eddy, nodes } = cluster;
  const before = await Promise.all(nodes.map((node) => node.hostsFiles()));

  await step("hostNetwork, and peers by the API server", async () => {
    const values = ["service.registry.exposure=hostNetwork", "eddy.bootstrapKind=kubernetes"];
    report(`hostNetwork: installed in ${seconds(await eddy.install(values))}`);
    await eddy.untilConnected();
    await pullFromPeers(cluster, "host-network");
    await eddy.uninstall();
    assert.deepEqual(await Promise.all(nodes.map((node) => node.hostsFiles())), before);
  });

  await step("NodePort", async () => {
    report(
      `NodePort: installed in ${
        seconds(await eddy.install(["service.registry.exposure=NodePort"]))
      }`,
    );
    await eddy.untilConnected();
    await pullFromPeers(cluster, "node-port");
    await eddy.uninstall();
    assert.deepEqual(await Promise.all(nodes.map((node) => node.hostsFiles())), before);
  });
});
