import assert from "node:assert/strict";
import { type ContainerdRelease, containerdReleases } from "./lab/containerd_release.ts";
import { fromPeers } from "./lab/from_peers.ts";
import type { Lab } from "./lab/lab.ts";
import { publish } from "./lab/publish.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { report } from "./lab/report.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const { old, current } = containerdReleases();
const SMALL = [300_000, 2_000_000, 700_000];

for (
  const [name, releases] of [
    ["1.6", [old, old, old]],
    ["2.x", [current, current, current]],
    ["1.6 and 2.x together", [old, current, old]],
  ] satisfies [string, ContainerdRelease[]][]
) {
  await labSuite(
    `three nodes pull from each other, containerd ${name}`,
    { id: `pull-${releases[0]?.name === "1.6" ? "1" : "2"}${releases[1]?.name}`, releases },
    async (lab, step) => {
      await pullCases(lab, step, name);
      await exchangeCases(lab, step);
      await step("no lease is made where containerd keeps layers by itself", async () => {
        for (const { containerd } of lab.nodes) assert.deepEqual(await containerd.leases(), []);
      });
    },
  );
}

/** One node has the image; the others get it, in every way that containerd has. */
async function pullCases(lab: Lab, step: Case, name: string): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("ctr: by tag and by digest, upstream off", async () => {
    const { image, repository, reference, digestReference } = await publish(lab, "fetch", {
      layerBytes: SMALL,
    });
    await n1.containerd.fetch(reference);
    const before = await lab.upstream.downloads();
    assert.ok(before.some(({ path }) => path.includes(`/${repository}/`)), "n1 asked upstream");
    const delay = await untilFindable(n2, image, { repository, tag: "v1" });
    report(
      `containerd ${name}: findable by tag and digest ${delay.toFixed(0)} ms after the pull ended`,
    );
    await untilFindable(n3, image, { repository });
    await lab.upstream.stop();
    await fromPeers(n2, image, () => n2.containerd.fetch(reference));
    await fromPeers(n3, image, () => n3.containerd.fetch(digestReference));
    assert.deepEqual(await lab.upstream.downloads(), before, "content that upstream was asked for");
  });

  await step("ctr images pull, upstream running but not asked", async () => {
    const { image, repository, reference } = await publish(lab, "pull", { layerBytes: SMALL });
    await n1.containerd.fetch(reference);
    await untilFindable(n2, image, { repository, tag: "v1" });
    const before = await lab.upstream.downloads();
    await fromPeers(n2, image, async () => {
      await n2.containerd.ctr([
        "images",
        "pull",
        "--hosts-dir",
        n2.containerd.certsPath,
        reference,
      ]);
    });
    assert.deepEqual(await lab.upstream.downloads(), before, "content that upstream was asked for");
  });

  await step("CRI: an image with an index, by tag and by digest, upstream off", async () => {
    const options = { layerBytes: SMALL, index: true };
    const { image, repository, reference, digestReference } = await publish(lab, "cri", options);
    await n1.containerd.cri.pull(reference);
    await untilFindable(n2, image, { repository, tag: "v1" });
    await untilFindable(n3, image, { repository });
    const before = await lab.upstream.downloads();
    await lab.upstream.stop();
    await fromPeers(n2, image, () => n2.containerd.cri.pull(reference));
    await fromPeers(n3, image, () => n3.containerd.cri.pull(digestReference));
    const names = (await n2.containerd.cri.list()).flatMap(({ repoTags }) => repoTags);
    assert.ok(names.includes(reference), `${reference} in ${names.join(" ")}`);
    assert.deepEqual(await lab.upstream.downloads(), before, "content that upstream was asked for");
  });
}

/** Several nodes have something for each other; nodes lose what they had. */
async function exchangeCases(lab: Lab, step: Case): Promise<void> {
  const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];

  await step("two nodes pull different images, then each the other's", async () => {
    const a = await publish(lab, "a", { layerBytes: SMALL });
    const b = await publish(lab, "b", { layerBytes: SMALL });
    await Promise.all([n1.containerd.cri.pull(a.reference), n2.containerd.cri.pull(b.reference)]);
    await untilFindable(n2, a.image, { repository: a.repository, tag: "v1" });
    await untilFindable(n1, b.image, { repository: b.repository, tag: "v1" });
    for (const { image, repository } of [a, b]) {
      await untilFindable(n3, image, { repository, tag: "v1" });
    }
    await lab.upstream.stop();
    await Promise.all([
      n1.containerd.cri.pull(b.reference),
      n2.containerd.cri.pull(a.reference),
      n3.containerd.cri.pull(a.reference),
      n3.containerd.cri.pull(b.reference),
    ]);
    for (const { containerd } of lab.nodes) {
      assert.deepEqual(await containerd.lacks(a.image), []);
      assert.deepEqual(await containerd.lacks(b.image), []);
    }
  });

  await step(
    "an image that was removed is withdrawn, what another image shares is not",
    async () => {
      // The same seed: the first layer of both is the same.
      const both = { seed: "shared", layerBytes: [400_000] };
      const kept = await publish(lab, "kept", both);
      const removed = await publish(lab, "removed", { ...both, layerBytes: [400_000, 500_000] });
      const [shared, own] = removed.image.layers;
      assert.ok(shared !== undefined && own !== undefined);
      assert.deepEqual(kept.image.layers.map(({ digest }) => digest), [shared.digest]);
      await n1.containerd.fetch(kept.reference);
      await n1.containerd.fetch(removed.reference);
      for (const { image, repository } of [kept, removed]) {
        await untilFindable(n2, image, { repository, tag: "v1" });
      }
      await n1.containerd.removeName(removed.reference);
      const ownBlob = `/v2/${removed.repository}/blobs/${own.digest}?ns=${UPSTREAM}`;
      await lab.until404(n2, ownBlob);
      await lab.until404(n2, `/v2/${removed.repository}/manifests/v1?ns=${UPSTREAM}`);
      await untilFindable(n2, kept.image, { repository: kept.repository, tag: "v1" });
      await n2.containerd.fetch(removed.reference);
      assert.deepEqual(await n2.containerd.lacks(removed.image), []);
    },
  );
}
