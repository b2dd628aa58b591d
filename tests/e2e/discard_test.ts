import assert from "node:assert/strict";
import type { Case } from "../support/test.ts";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { httpRequest } from "./lab/http_request.ts";
import { fromPeers } from "./lab/from_peers.ts";
import type { Image } from "./lab/image.ts";
import type { Lab, LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";

const { old, current } = containerdReleases();
const LAYERS = [300_000, 2_000_000, 700_000];
const DISCARDS = { discardUnpackedLayers: true };
/** Of node 3: a moment after its agent is gone, its layers are, too. */
const SHORT_LEASE = ["--keep-layers-lease", "2s"];

for (const release of [old, current] satisfies ContainerdRelease[]) {
  await labSuite(
    `layers that containerd ${release.name} discards are kept, and shared`,
    {
      id: `discard${release.name === "1.6" ? 1 : 2}`,
      releases: [release, release, release],
      deviations: DISCARDS,
      flags: (name) => name === "n3" ? SHORT_LEASE : [],
    },
    async (lab, step) => {
      await shareCases(lab, step);
      await boundCases(lab, step);
      await endCases(lab, step);
    },
  );
}

/** Checks that a node still has all of an image after garbage was collected. */
async function keeps({ containerd, host }: LabNode, image: Image): Promise<void> {
  await containerd.collect();
  assert.deepEqual(await containerd.lacks(image), [], `what ${host.name} lost`);
}

/** Waits until the layers of an image are gone, as the collector runs again and again. */
async function untilFreed({ containerd, host }: LabNode, image: Image): Promise<void> {
  const layers = image.layers.map(({ digest }) => digest);
  await until(async () => {
    await containerd.collect();
    const lacking = await containerd.lacks(image);
    return layers.every((digest) => lacking.includes(digest));
  }, { what: `the layers on ${host.name} to be freed` });
}

/** What one node pulled from upstream, the others get from peers. */
async function shareCases(lab: Lab, step: Case): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("from upstream to node 1, to the others by tag and digest, upstream off", async () => {
    const options = { layerBytes: LAYERS, index: true };
    const { image, repository, reference, digestReference } = await publish(lab, "app", options);
    await n1.containerd.cri.pull(reference);
    await keeps(n1, image);
    await untilFindable(n2, image, { repository, tag: "v1" });
    await untilFindable(n3, image, { repository });
    await lab.upstream.stop();
    await fromPeers(n2, image, () => n2.containerd.cri.pull(reference));
    await fromPeers(n3, image, () => n3.containerd.cri.pull(digestReference));
    for (const node of lab.nodes) await keeps(node, image);
    const { body } = await httpRequest(n1.host, "http://127.0.0.1:9090/debug/api/overview");
    const facts = new Map<string, string>(JSON.parse(body).facts);
    assert.match(facts.get("Kept layers") ?? "", /^\d+, \d/, body);
  });

  await step("a restarted agent goes on keeping; a removed image is freed at once", async () => {
    const { image, reference } = await publish(lab, "restart", { layerBytes: LAYERS });
    await n1.containerd.cri.pull(reference);
    await n1.agent.stop();
    await keeps(n1, image);
    await n1.agent.start();
    await keeps(n1, image);
    await n1.containerd.cri.remove(reference);
    await untilFreed(n1, image);
  });
}

/** What is kept is bounded. */
async function boundCases(lab: Lab, step: Case): Promise<void> {
  const n2 = lab.node(2);
  const parts = { layerBytes: [300_000, 600_000], plain: true };

  await step("beyond the budget what was pulled longest ago goes first", async () => {
    const [older, newer] = [await publish(lab, "older", parts), await publish(lab, "newer", parts)];
    await restart(n2, ["--keep-layers-max", "1MB"]);
    for (const { reference } of [older, newer]) await n2.containerd.cri.pull(reference);
    await untilFreed(n2, older.image);
    await keeps(n2, newer.image);
    const metrics = await n2.agent.metrics();
    assert.ok(metrics.sum("eddy_kept_layer_bytes") <= 1_000_000);
    assert.ok(metrics.sum("eddy_released_layers_total") >= older.image.layers.length);
  });

  await step("while the disk is full, nothing is kept", async () => {
    const { image, reference } = await publish(lab, "full", parts);
    await restart(n2, ["--keep-layers-min-free", "90"]);
    await n2.containerd.cri.pull(reference);
    await untilFreed(n2, image);
    await until(async () => (await n2.agent.metrics()).sum("eddy_kept_layers") === 0, {
      what: "all layers to be let go",
    });
    await restart(n2, []);
  });

  await step(
    "an image that was pulled before cannot be shared, and the doctor says so",
    async () => {
      const { image, repository, reference } = await publish(lab, "before", parts);
      await n2.agent.stop();
      await n2.containerd.cri.pull(reference);
      await untilFreed(n2, image);
      await n2.agent.start();
      await untilFindable(lab.node(1), { ...image, pulled: [image.root] }, { repository });
      const { stdout } = await n2.agent.command("doctor", n2.agent.flags());
      assert.match(stdout, /layers are kept.*a lease keeps them/);
      assert.match(stdout, /images lack layers/);
    },
  );
}

/** Starts a node's agent anew, with other flags. */
async function restart({ agent }: LabNode, flags: readonly string[]): Promise<void> {
  await agent.stop();
  await agent.start(flags);
}

/** What is kept ends with what it is kept for. */
async function endCases(lab: Lab, step: Case): Promise<void> {
  const [n1, n3] = [lab.node(1), lab.node(3)];

  await step("an image loses what it does not share with another one", async () => {
    const kept = await publish(lab, "kept", { seed: "same", layerBytes: [400_000] });
    const gone = await publish(lab, "gone", { seed: "same", layerBytes: [400_000, 500_000] });
    const [shared, own] = gone.image.layers;
    assert.ok(shared !== undefined && own !== undefined);
    await n1.containerd.cri.pull(kept.reference);
    await n1.containerd.cri.pull(gone.reference);
    await untilFindable(n3, gone.image, { repository: gone.repository });
    await n1.containerd.cri.remove(gone.reference);
    await until(async () => {
      await n1.containerd.collect();
      return (await n1.containerd.lacks(gone.image)).includes(own.digest);
    }, { what: "the layer of the removed image to be freed" });
    await keeps(n1, kept.image);
  });

  await step("an agent that is gone for good leaves nothing behind after its lease", async () => {
    const { image, reference } = await publish(lab, "gone-for-good", { layerBytes: LAYERS });
    await n3.containerd.cri.pull(reference);
    await keeps(n3, image);
    await n3.agent.kill();
    await untilFreed(n3, image);
    assert.deepEqual(await n3.containerd.leases(), []);
  });

  await step("cleanup leaves no lease", async () => {
    assert.equal((await n1.containerd.leases()).length, 1);
    await n1.agent.stop();
    const { stdout } = await n1.agent.command("cleanup", [
      ...["--containerd-sock", n1.containerd.socket],
    ]);
    assert.match(stdout, /^ended the lease eddy-layers-\d+$/m);
    assert.deepEqual(await n1.containerd.leases(), []);
  });
}
