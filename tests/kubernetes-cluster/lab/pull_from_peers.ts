import assert from "node:assert/strict";
import { until } from "../../e2e/lab/until.ts";
import type { KubernetesCluster } from "./cluster.ts";
import type { ClusterNode } from "./node.ts";

/**
 * Has the first node pull an image from upstream, and the others from peers while upstream is stopped:
 * one by tag, one by digest.
 *
 * @param name of the image; a new one.
 */
export async function pullFromPeers(cluster: KubernetesCluster, name: string): Promise<void> {
  const { eddy, upstream } = cluster;
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const published = await cluster.publish(`open/${name}`);
  await n1.cri.pull(published.reference);
  for (const node of [n2, n3]) await eddy.untilFindable(node, published);
  const seen = await upstream.requests();
  await upstream.stop();
  await untilPulled(n2, published.reference);
  await untilPulled(n3, published.digestReference);
  assert.deepEqual(await upstream.requests(), seen, "what upstream saw");
  await upstream.start();
}

/**
 * Pulls as the kubelet does: anew after a failure, since an agent on a busy machine may give up on its
 * peers in time for upstream to be asked.
 */
export async function untilPulled(node: ClusterNode, reference: string): Promise<void> {
  await until(() => node.cri.pull(reference).then(() => true), {
    what: `${node.name} to pull ${reference}`,
    timeoutMs: 30_000,
    intervalMs: 1000,
  });
}
