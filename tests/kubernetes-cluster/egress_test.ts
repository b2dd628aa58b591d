import assert from "node:assert/strict";
import type { Published } from "../e2e/lab/publish.ts";
import { report } from "../e2e/lab/report.ts";
import { UPSTREAM } from "../e2e/lab/upstream.ts";
import { Authority } from "../support/certificates.ts";
import { inDirectory } from "../support/temp_directory.ts";
import type { Case } from "../support/test.ts";
import type { KubernetesCluster } from "./lab/cluster.ts";
import type { ClusterNode } from "./lab/node.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

/** The same registry over TLS. */
const SECURE = "registry.test:5443";
/** Where Debian has what a machine trusts; each node has a copy of its own. */
const BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
const WARNING =
  "containerd reaches a registry that this agent cannot ask: tags are left to containerd";

await clusterSuite("nodes have a way to upstream that pods have not", async (cluster, step) => {
  await inDirectory(async (directory) => {
    const authority = await Authority.make(`${directory}/authority`);
    await authority.issue(`${directory}/tls`, "registry.test");
    const pem = await authority.certificate();
    for (const node of cluster.nodes) {
      await Deno.writeTextFile(node.path(BUNDLE), pem, { append: true });
    }
    await blockedCases(cluster, step);
    await step("an authority that only the nodes trust is trusted by the agents, too", async () => {
      await cluster.upstream.startSecure(`${directory}/tls`);
      await trustedCase(cluster);
    });
  });
});

async function blockedCases(cluster: KubernetesCluster, step: Case): Promise<void> {
  const { eddy, pods, upstream, nodes } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const rule = ["FORWARD", "-d", cluster.network.host("up").address, "-j", "DROP"];

  await step("a tag that moved is pulled as it is now; the doctor says what is wrong", async () => {
    // As a policy against egress does: what pods send is forwarded, what the node sends is not.
    for (const node of nodes) await node.run(["iptables", "-I", ...rule]);
    await eddy.install(["eddy.logLevel=debug"]);
    await eddy.untilConnected();
    const old = await cluster.publish("open/moving");
    await eddy.advertised(
      n1,
      old,
      () => pods.run({ name: "old", node: n1, image: old.reference }),
    );
    const moved = await cluster.publish("open/moving", { seed: "open/moving/2" });
    for (const node of [n2, n1]) {
      const pod = { name: `moved-${node.name}`, node, pullPolicy: "Always" } as const;
      const readyMs = await pods.run({ ...pod, image: moved.reference });
      report(`moved tag, egress blocked: pod on ${node.name} ready ${seconds(readyMs)}`);
      assert.deepEqual(await digestsOf(node, moved), [moved.image.root.digest]);
    }
    const { stdout } = await eddy.exec(n2, ["doctor"], { allowFailure: true });
    assert.match(stdout, new RegExp(`✗ tags .*containerd reaches ${UPSTREAM}`));
    const warnings = (await eddy.log(n2)).filter(({ msg }) => msg === WARNING);
    assert.deepEqual(warnings.map(({ registry }) => registry), [UPSTREAM]);
  });

  await step("upstream is off, too: a pod gets what nodes have at its first retry", async () => {
    const published = await cluster.publish("open/off");
    const pod = { image: published.reference };
    await eddy.advertised(n1, published, () => pods.run({ name: "off-1", node: n1, ...pod }));
    await upstream.stop();
    const readyMs = await pods.run({ name: "off-3", node: n3, ...pod }, 60_000);
    report(`upstream off, never reached: pod on n3 ready ${seconds(readyMs)}`);
    assert.deepEqual(await digestsOf(n3, published), [published.image.root.digest]);
    await upstream.start();
    for (const node of nodes) await node.run(["iptables", "-D", ...rule]);
  });
}

/** With the chart's defaults the agent asks by itself, though nobody told it of the authority. */
async function trustedCase(cluster: KubernetesCluster): Promise<void> {
  const { eddy, pods } = cluster;
  const node = cluster.node(2);
  const published = await cluster.publish("open/secure");
  await pods.run({ name: "secure", node, image: published.reference.replace(UPSTREAM, SECURE) });
  const asked = (await eddy.log(node)).filter(({ msg, reference }) =>
    msg === "upstream was asked" && String(reference).startsWith(SECURE)
  );
  assert.ok(asked.length > 0, "it was asked");
  assert.deepEqual([...new Set(asked.map(({ type }) => type))], ["found"]);
}

/** What a node has under an image's tag. */
async function digestsOf(node: ClusterNode, { reference }: Published): Promise<string[]> {
  const images = await node.cri.list();
  return images.filter(({ repoTags }) => repoTags.includes(reference))
    .flatMap(({ repoDigests }) => repoDigests.map((digest) => digest.replace(/^.*@/, "")));
}
