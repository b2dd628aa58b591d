import assert from "node:assert/strict";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { httpRequest } from "./lab/http_request.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { publish, type Published } from "./lab/publish.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { untilAllFound } from "./lab/until_all_found.ts";
import { untilFindable } from "./lab/until_findable.ts";

const LAYER_BYTES = 256 * 1024 * 1024;
/** The fault comes when so much of the layer has arrived. */
const FAULT_BYTES = 80 * 1024 * 1024;
/** Far above what a resume takes: it only tells one from a pull that hung. */
const EXTRA_LIMIT_MS = 20_000;

/** What happens to the node that is sending, half-way through the layer. */
const FAULTS: Readonly<Record<string, (lab: Lab, sender: LabNode) => Promise<void> | void>> = {
  "agent killed": (_lab, { agent }) => agent.kill(),
  "agent frozen": (_lab, { agent }) => agent.process.signal("SIGSTOP"),
  "throttled to nothing": (lab, { host }) => lab.network.setRate(host, "8kbit"),
  "link down": (lab, { host }) => lab.network.setLink(host, "down"),
};

const { old, current } = containerdReleases();

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `a holder fails half-way through a layer, containerd ${release.name}`,
    { id: `fail-${release.name}`, releases: [release, release, release] },
    async (lab, step) => {
      const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];
      const large = await publish(lab, "large", { layerBytes: [LAYER_BYTES], plain: true });
      const { repository, image, reference } = large;
      let undisturbedMs = Number.NaN;

      await step("undisturbed", async () => {
        await n1.containerd.fetch(reference);
        await untilFindable(n2, image, { repository, tag: "v1" });
        await lab.upstream.stop();
        await n2.containerd.fetch(reference);
        await untilFindable(n3, image, { repository, tag: "v1" });
        await untilAllFound(n3, image, 2);
        undisturbedMs = await timePull(n3, large);
        report(`containerd ${release.name}: 256 MB undisturbed ${undisturbedMs.toFixed(0)} ms`);
      });

      for (const [fault, inflict] of Object.entries(FAULTS)) {
        await step(fault, async () => {
          await lab.upstream.stop();
          await n3.containerd.remove(reference, image);
          for (const node of [n1, n2]) await untilServes(node, large);
          await untilFindable(n3, image, { repository, tag: "v1" });
          // As undisturbed: a holder that failed in the case before is back, and asked again.
          await untilAllFound(n3, image, 2);
          await untilHealthy(n3, large);
          const before = await n3.agent.metrics();
          const pull = timePull(n3, large);
          const struck = strike(lab, [n1, n2], inflict);
          const [tookMs, sender] = await Promise.all([pull, struck]);
          const after = await n3.agent.metrics();
          const name = "eddy_peer_switches_total";
          const switches = after.sum(name) - before.sum(name);
          const extraMs = tookMs - undisturbedMs;
          report(
            `containerd ${release.name}: ${sender.host.name} ${fault}: extra ` +
              `${extraMs.toFixed(0)} ms, ${switches} resumed`,
          );
          assert.equal(switches, 1, "resumes");
          assert.ok(extraMs < EXTRA_LIMIT_MS, `${extraMs} ms later than undisturbed`);
        });
      }
    },
  );
}

/** Waits until a node leaves no peer alone because of what it did before. */
async function untilHealthy({ host, agent }: LabNode, published: Published): Promise<void> {
  const [layer] = published.image.layers;
  const path = `/v2/${published.repository}/blobs/${layer?.digest}?ns=registry.test:5000`;
  await until(async () => {
    // Peers are looked at again when something is asked of them.
    await agent.request(path, { head: true });
    const { body } = await httpRequest(host, "http://127.0.0.1:9090/debug/api/overview");
    const peers: { health: string }[] = JSON.parse(body).peers;
    return peers.length === 2 && peers.every(({ health }) => health === "good");
  }, { what: `${host.name} to ask both others again`, timeoutMs: 60_000 });
}

/** Pulls and checks; containerd verifies the digest before it keeps a layer. */
async function timePull(node: LabNode, { reference, image }: Published): Promise<number> {
  const start = performance.now();
  await node.containerd.fetch(reference, { timeoutMs: 90_000 });
  const elapsedMs = performance.now() - start;
  assert.deepEqual(await node.containerd.lacks(image), []);
  return elapsedMs;
}

/** Waits until one of the nodes has sent enough, and lets it fail. */
async function strike(
  lab: Lab,
  nodes: readonly LabNode[],
  inflict: (lab: Lab, sender: LabNode) => Promise<void> | void,
): Promise<LabNode> {
  const sent = () => Promise.all(nodes.map(({ host }) => lab.network.sentBytes(host)));
  const before = await sent();
  const { value } = await until(async () => {
    const now = await sent();
    const index = now.findIndex((bytes, i) => bytes - (before[i] ?? 0) > FAULT_BYTES);
    return nodes[index];
  }, { what: "a node to send a part of the layer", timeoutMs: 60_000, intervalMs: 20 });
  await inflict(lab, value);
  return value;
}

/** Waits until a node, restarted perhaps, serves the layer from its own store. */
async function untilServes({ agent, host }: LabNode, published: Published): Promise<void> {
  const [layer] = published.image.layers;
  const path = `/v2/${published.repository}/blobs/${layer?.digest}?ns=registry.test:5000`;
  const headers = { "X-Spegel-Mirrored": "true" };
  await until(async () => (await agent.request(path, { head: true, headers })).status === 200, {
    what: `${host.name} to serve the layer`,
  });
}
