import assert from "node:assert/strict";
import { packageChart } from "../../deploy/helm/package.ts";
import { kubernetesDirectory } from "../e2e/kubernetes/programs.ts";
import { report } from "../e2e/lab/report.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { IMAGE_REPOSITORY } from "./lab/eddy_release.ts";
import type { ClusterNode } from "./lab/node.ts";
import { pullFromPeers } from "./lab/pull_from_peers.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

const IMAGES = 6;

await clusterSuite("agents that are replaced", async (cluster, step) => {
  const { eddy, upstream } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];

  await step("the chart as a release has it, with its image by digest", async () => {
    await using directory = await tempDirectory();
    const digest = await eddy.publishImage();
    const archive = await packageChart({
      version: "0.1.0",
      repository: "https://git.test/eddy",
      image: IMAGE_REPOSITORY,
      digest,
      out: directory.path,
    }, `${kubernetesDirectory()}/helm`);
    report(
      `installed from ${archive.split("/").pop()} in ${seconds(await eddy.install([], archive))}`,
    );
    assert.equal((await eddy.agentOn(n1)).image, `${IMAGE_REPOSITORY}@${digest}`);
    await eddy.untilConnected();
    await pullFromPeers(cluster, "packaged");
  });

  await step("a rolling restart under load fails no pull", async () => {
    const references: string[] = [];
    for (let number = 1; number <= IMAGES; number++) {
      const published = await cluster.publish(`open/load-${number}`);
      await n1.cri.pull(published.reference);
      for (const node of [n2, n3]) await eddy.untilFindable(node, published);
      references.push(published.reference);
    }
    const seen = (await upstream.downloads()).length;
    const failures: string[] = [];
    let [pulls, rolling] = [0, true];
    const load = async (node: ClusterNode) => {
      while (rolling) {
        for (const reference of references) {
          await node.cri.pull(reference).catch((error) => failures.push(String(error)));
          pulls++;
          await node.cri.remove(reference);
        }
      }
    };
    const start = performance.now();
    const restarted = eddy.restart().finally(() => rolling = false);
    await Promise.all([restarted, load(n2), load(n3)]);
    const blobs = (await upstream.downloads()).slice(seen)
      .filter(({ path, status }) => path.includes("/blobs/") && status < 400);
    report(
      `rolling restart ${seconds(performance.now() - start)}: ${pulls} pulls, ` +
        `${failures.length} failed, ${blobs.length} blobs came from upstream`,
    );
    assert.deepEqual(failures, []);
    assert.ok(pulls >= IMAGES, `${pulls} pulls`);
    await eddy.untilConnected();
    await pullFromPeers(cluster, "after-restart");
  });
}, { cachesDns: true });
