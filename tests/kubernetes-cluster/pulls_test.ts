import assert from "node:assert/strict";
import { USER } from "../e2e/lab/auth/token_authentication.ts";
import { report } from "../e2e/lab/report.ts";
import { NAMESPACE } from "./lab/eddy_release.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

await clusterSuite("the chart's defaults", async (cluster, step) => {
  const { eddy, pods, upstream, nodes } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const before = await Promise.all(nodes.map((node) => node.hostsFiles()));

  await step("helm install ends with a ready agent on each node", async () => {
    report(`helm install to the last ready agent ${seconds(await eddy.install())}`);
    await eddy.untilConnected();
    for (const [index, node] of nodes.entries()) {
      assert.notDeepEqual(await node.hostsFiles(), before[index], `${node.name} is configured`);
    }
  });

  await step(
    "a private image comes from peers with the right pull secret, with no other",
    async () => {
      const published = await cluster.publish("team/private");
      const { reference, repository } = published;
      await pods.createPullSecret("right", USER);
      await pods.createPullSecret("wrong", { ...USER, password: "wrong" });
      const pod = { image: reference, pullSecret: "right" };
      await eddy.advertised(n1, published, () => pods.run({ name: "private-1", node: n1, ...pod }));
      const blobs = async () =>
        (await upstream.downloads()).filter(({ path }) => path.includes(`/${repository}/blobs/`));
      const seen = await blobs();
      const ready = await pods.run({ name: "private-2", node: n2, ...pod });
      assert.deepEqual(await blobs(), seen, "blobs that upstream sent");
      report(`private image from a peer: pod ready ${seconds(ready)}`);
      // Neither from a peer nor where the image is, as long as the pod says to ask.
      for (const node of [n1, n3]) {
        const refused = { node, image: reference, pullPolicy: "Always" } as const;
        await pods.create({ name: `wrong-${node.name}`, ...refused, pullSecret: "wrong" });
        await pods.create({ name: `none-${node.name}`, ...refused });
        for (const name of [`wrong-${node.name}`, `none-${node.name}`]) {
          report(`${name}: ${(await pods.untilPullFailed(name)).replace(/\s+/g, " ")}`);
        }
      }
      assert.deepEqual(await blobs(), seen, "blobs that upstream sent");
    },
  );

  await step("what one node has, the others pull without upstream, by tag and digest", async () => {
    const tagged = await cluster.publish("open/tagged");
    const named = await cluster.publish("open/named");
    for (const { reference, repository } of [tagged, named]) {
      await pods.run({ name: `${repository.slice(5)}-1`, node: n1, image: reference });
    }
    for (const image of [tagged, named]) {
      await eddy.untilFindable(n2, image);
      await eddy.untilFindable(n3, image);
    }
    const seen = await upstream.requests();
    await upstream.stop();
    for (const node of [n2, n3]) {
      const byTag = await pods.run({ name: `tagged-${node.name}`, node, image: tagged.reference });
      const byDigest = await pods.run({
        name: `named-${node.name}`,
        node,
        image: named.digestReference,
      });
      report(`pod on ${node.name} ready by tag ${seconds(byTag)}, by digest ${seconds(byDigest)}`);
    }
    assert.deepEqual(await upstream.requests(), seen, "what upstream saw");
    await upstream.start();
  });

  await step(
    "pods that pull always come back without upstream, on a node that has the image",
    async () => {
      const published = await cluster.publish("open/always");
      const pod = { image: published.reference, pullPolicy: "Always" } as const;
      await eddy.advertised(n1, published, () => pods.run({ name: "always-1", node: n1, ...pod }));
      await upstream.stop();
      // The node itself has it, or a peer.
      report(
        `Always, own image: ${seconds(await pods.run({ name: "again-1", node: n1, ...pod }))}`,
      );
      report(
        `Always, a peer's: ${seconds(await pods.run({ name: "always-2", node: n2, ...pod }))}`,
      );
      await upstream.start();
    },
  );

  await step("large layers from peers stay within the chart's memory limit", async () => {
    const published = await cluster.publish("open/large", {
      layerBytes: Array(3).fill(80_000_000),
      plain: true,
    });
    await eddy.advertised(n1, published, () => n1.cri.pull(published.reference));
    await Promise.all([n2, n3].map((node) => node.cri.pull(published.reference)));
    for (const node of nodes) {
      const { memoryLimit, restarts } = await eddy.agentOn(node);
      const mib = await eddy.peakMib(node);
      report(`agent on ${node.name}: at most ${mib.toFixed(0)} MiB resident of ${memoryLimit}`);
      assert.match(memoryLimit, /^\d+Mi$/);
      assert.ok(mib < parseInt(memoryLimit), `${mib} MiB`);
      assert.equal(restarts, 0, `restarts of the agent on ${node.name}`);
    }
  });

  await step("Pod Security: the namespace has to allow privileged pods", async () => {
    const violations = async (level: string) => {
      const label = `pod-security.kubernetes.io/enforce=${level}`;
      const argv = ["label", "--dry-run=server", "--overwrite", "namespace", NAMESPACE, label];
      return (await cluster.kubectl(argv)).stderr;
    };
    assert.equal(await violations("privileged"), "");
    assert.match(await violations("baseline"), /violate.*\n.*: hostPath volumes, hostPort\n$/);
    assert.match(await violations("restricted"), /hostPort, restricted volume types, runAsNonRoot/);
  });

  await step("helm uninstall restores each node byte for byte", async () => {
    const start = performance.now();
    await eddy.uninstall();
    report(`helm uninstall ${seconds(performance.now() - start)}`);
    assert.deepEqual(await Promise.all(nodes.map((node) => node.hostsFiles())), before);
  });
});
