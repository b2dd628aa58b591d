import assert from "node:assert/strict";
import { report } from "../e2e/lab/report.ts";
import { until } from "../e2e/lab/until.ts";
import { IMAGE } from "./lab/eddy_release.ts";
import { untilPulled } from "./lab/pull_from_peers.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

const TAINT = "eddy.dev/starting";

await clusterSuite("nodes that come and go", async (cluster, step) => {
  const { eddy, pods, upstream, control: { api } } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const isTainted = async () => {
    const { body } = await api.do("GET", `/api/v1/nodes/${n3.name}`);
    return (body.spec.taints ?? []).some(({ key }: { key: string }) => key === TAINT);
  };

  await step("a node is drained, deleted, and comes back new with the start-up taint", async () => {
    await eddy.install([`eddy.startupTaint=${TAINT}`]);
    await eddy.untilConnected();
    const published = await cluster.publish("open/first");
    await n1.cri.pull(published.reference);
    await eddy.untilFindable(n3, published);
    await pods.run({ name: "evicted", node: n3, image: published.reference });

    const drain = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=30s"];
    await cluster.kubectl(["drain", n3.name, ...drain]);
    await cluster.kubectl(["delete", "node", n3.name]);
    await cluster.replace(n3, { registerWithTaints: [{ key: TAINT, effect: "NoSchedule" }] });
    const start = performance.now();
    assert.ok(await isTainted(), "it has the taint");
    await pods.create({ name: "first", node: n3, image: published.reference });
    await until(async () => {
      return (await n3.cri.list()).some(({ repoTags }) => repoTags.includes(IMAGE));
    }, { what: "the new node to have the agent's image", timeoutMs: 60_000 });
    // That was the last that upstream had to send.
    await upstream.stop();
    await until(async () => !await isTainted(), {
      what: "the taint to be removed",
      timeoutMs: 60_000,
    });
    report(`new node ready to start-up taint removed: ${seconds(performance.now() - start)}`);
    await pods.untilReady("first");
    await upstream.start();
    await eddy.untilConnected();
  });

  await step("a node whose kubelet stopped goes on to give and to take", async () => {
    const given = await cluster.publish("open/given");
    const taken = await cluster.publish("open/taken");
    await n3.cri.pull(given.reference);
    await n1.cri.pull(taken.reference);
    await eddy.untilFindable(n2, given);
    await eddy.untilFindable(n3, taken);
    await n3.stop("kubelet");
    await cluster.untilReady(n3, false);
    await upstream.stop();
    await pods.run({ name: "given", node: n2, image: given.reference });
    await untilPulled(n3, taken.reference);
    await upstream.start();
    n3.startKubelet();
    await cluster.untilReady(n3);
  });
});
