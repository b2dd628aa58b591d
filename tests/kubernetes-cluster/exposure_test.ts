import assert from "node:assert/strict";
import { CHART } from "../e2e/kubernetes/cluster.ts";
import { report } from "../e2e/lab/report.ts";
import { IMAGE, NAMESPACE } from "./lab/eddy_release.ts";
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

  await step(
    "the manifests for those without Helm, and the commands that remove them",
    async () => {
      const [agents, cleanup] = [await manifest("eddy"), await manifest("cleanup")];
      try {
        await cluster.kubectl(["apply", "-f", agents]);
        await eddy.untilRolledOut();
        await eddy.untilConnected();
        await pullFromPeers(cluster, "manifests");
        const inNamespace = ["-n", NAMESPACE];
        await cluster.kubectl([...inNamespace, "delete", "daemonset", "eddy"]);
        await cluster.kubectl(["apply", "-f", cleanup]);
        const done = ["wait", "--for=condition=complete", "--timeout=2m", "job/eddy-cleanup-wait"];
        await cluster.kubectl([...inNamespace, ...done], { timeoutMs: 130_000 });
        await cluster.kubectl(["delete", "--ignore-not-found", "-f", cleanup, "-f", agents]);
        assert.deepEqual(await Promise.all(nodes.map((node) => node.hostsFiles())), before);
      } finally {
        for (const file of [agents, cleanup]) await Deno.remove(file);
      }
    },
  );
});

/** A manifest with the image at the lab's upstream. @returns a file, which the caller removes. */
async function manifest(name: string): Promise<string> {
  const text = await Deno.readTextFile(`${CHART}/../../kubernetes/${name}.yaml`);
  const image = /image: "?eddy:0\.1\.0"?/g;
  assert.match(text, image);
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, text.replaceAll(image, `image: ${IMAGE}`));
  return file;
}
