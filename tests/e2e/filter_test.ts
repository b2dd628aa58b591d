import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { publish } from "./lab/publish.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const { old, current } = containerdReleases();
const LAYERS = [200_000, 300_000];

await labSuite(
  "filters hold for serving and for advertising",
  {
    id: "filter",
    releases: [old, current],
    flags: ["--registry-filters", "/secret/", "--resolve-latest-tag=false"],
  },
  async (lab, step) => {
    for (
      const [holder, other] of [[lab.node(1), lab.node(2)], [lab.node(2), lab.node(1)]] as const
    ) {
      const name = holder.host.name;

      await step(`what ${name} holds of a filtered repository stays with it`, async () => {
        const secret = await publish(lab, `${name}/secret/app`, { layerBytes: LAYERS });
        const open = await publish(lab, `${name}/open/app`, { layerBytes: LAYERS });
        await holder.containerd.fetch(secret.reference);
        await holder.containerd.fetch(open.reference);
        await untilFindable(other, open.image, { repository: open.repository, tag: "v1" });
        const path = `/v2/${secret.repository}/manifests`;
        for (const identifier of ["v1", secret.image.root.digest]) {
          for (const node of [holder, other]) {
            const answer = await node.agent.request(`${path}/${identifier}?ns=${UPSTREAM}`);
            assert.equal(answer.status, 404, `${identifier} at ${node.host.name}`);
          }
        }
        // Under a name that no filter matches, nobody knows the layers: they were not advertised.
        for (const { digest } of secret.image.layers) {
          const answer = await other.agent.request(`/v2/any/blobs/${digest}?ns=${UPSTREAM}`);
          assert.equal(answer.status, 404, `${digest} at ${other.host.name}`);
        }
        await other.containerd.fetch(secret.reference);
        assert.deepEqual(await other.containerd.lacks(secret.image), [], "upstream serves it");
      });

      await step(`latest of ${name} is not resolved, its digest is`, async () => {
        const latest = await publish(lab, `${name}/app:latest`, { layerBytes: LAYERS });
        await holder.containerd.fetch(latest.reference);
        await untilFindable(other, latest.image, { repository: latest.repository });
        for (const node of [holder, other]) {
          const path = `/v2/${latest.repository}/manifests/latest?ns=${UPSTREAM}`;
          assert.equal((await node.agent.request(path)).status, 404, `at ${node.host.name}`);
        }
      });
    }
  },
);
