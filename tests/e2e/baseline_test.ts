import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { createImage } from "./lab/image.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const { old, current } = containerdReleases();

// What the other tests rely on: without Eddy, both containerds take the lab's images from upstream.
await labSuite(
  "without Eddy every pull asks upstream",
  { id: "base", releases: [old, current], withoutAgents: true },
  async (lab, step) => {
    const image = createImage({ seed: "base", layerBytes: [100_000, 200_000], index: true });
    await lab.upstream.add(image, "base/app", "v1");
    const reference = `${UPSTREAM}/base/app:v1`;

    for (const { host, containerd } of lab.nodes) {
      await step(`${host.name} fetches with ctr`, async () => {
        await containerd.fetch(reference);
        assert.deepEqual(await containerd.lacks(image), []);
        await containerd.remove(reference, image);
        assert.deepEqual(await containerd.cri.list(), []);
      });

      await step(`${host.name} pulls and unpacks through the CRI`, async () => {
        await containerd.cri.pull(reference);
        assert.deepEqual(await containerd.lacks(image), []);
        const [listed] = await containerd.cri.list();
        assert.deepEqual(listed?.repoTags, [reference]);
        await containerd.remove(reference, image);
        assert.deepEqual(await containerd.cri.list(), []);
      });

      await step(`${host.name} is in the access log with each layer`, async () => {
        const requests = await lab.upstream.requests();
        for (const { digest } of image.layers) {
          const seen = requests.filter(({ client, method, path }) =>
            client === host.address && method === "GET" && path.includes(digest)
          );
          assert.equal(seen.length, 2, `${digest} in ${JSON.stringify(requests)}`);
        }
      });
    }

    await step("a link that is down loses packets", async () => {
      const { host, containerd } = lab.node(1);
      await lab.network.setLink(host, "down");
      await assert.rejects(containerd.fetch(reference, { timeoutMs: 3000 }), /not done within/);
    });
  },
);
