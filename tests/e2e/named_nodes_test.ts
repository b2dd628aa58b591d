import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import type { LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const LAYERS = [300_000];
const BOOTSTRAP = "eddy.test";
/** The source is asked again after 20 s, and after 40 s more. */
const BELIEVED_LIMIT_MS = 90_000;
const { current } = containerdReleases();

/** What a node says of a tag; with why not. */
async function askTag({ agent }: LabNode, repository: string): Promise<string> {
  const { status, body } = await agent.request(`/v2/${repository}/manifests/v1?ns=${UPSTREAM}`);
  return status === 200 ? "200" : `${status} ${JSON.parse(body).errors[0].detail.reason}`;
}

await labSuite(
  "bootstrap names one node of three, and there is no cluster key",
  { id: "named", releases: [current, current, current], withoutAgents: true },
  async (lab, step) => {
    const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];
    for (const { host } of lab.nodes) await lab.network.setName(host, BOOTSTRAP, ["n1"]);
    for (const { agent } of lab.nodes) await agent.start();
    await lab.untilKnown(2, 120_000);
    const seeded = await publish(lab, "seeded", { layerBytes: LAYERS });
    const other = await publish(lab, "other", { layerBytes: LAYERS });
    await n1.containerd.fetch(seeded.reference);
    await n3.containerd.fetch(other.reference);
    for (const { image, repository } of [seeded, other]) {
      await untilFindable(n2, image, { repository, blobsOnly: true });
    }
    await lab.upstream.stop();

    await step("without upstream, tags of that node can be pulled", async () => {
      assert.equal(await askTag(n2, "seeded"), "200");
      await n2.containerd.fetch(seeded.reference);
      assert.deepEqual(await n2.containerd.lacks(seeded.image), []);
    });

    await step("tags of the others cannot, and the log says why; digests can", async () => {
      assert.equal(await askTag(n2, "other"), "404 peers-unnamed");
      const lines = (await n2.agent.log()).filter(({ tag }) => tag === `${UPSTREAM}/other:v1`);
      assert.ok(lines.some(({ msg }) => /bootstrap does not name it/.test(String(msg))));
      assert.match(String(lines[0]?.["fix"]), /--cluster-key-file.*--tag-policy peer/);
      assert.deepEqual(lines[0]?.["addresses"], [n3.host.address]);
      const byDigest = `/v2/other/manifests/${other.image.root.digest}?ns=${UPSTREAM}`;
      assert.equal((await n2.agent.request(byDigest)).status, 200);
    });

    await step("once the name has another node, too, its tags can be pulled", async () => {
      await lab.network.setName(n2.host, BOOTSTRAP, ["n1", "n3"]);
      const { elapsedMs } = await until(async () => await askTag(n2, "other") === "200", {
        what: "n3 to be believed",
        timeoutMs: BELIEVED_LIMIT_MS,
        intervalMs: 500,
      });
      report(`a node that was new to the name was believed after ${elapsedMs.toFixed(0)} ms`);
      await n2.containerd.fetch(other.reference);
      assert.deepEqual(await n2.containerd.lacks(other.image), []);
    });
  },
);
