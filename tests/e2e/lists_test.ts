import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import type { LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const { old, current } = containerdReleases();
const LAYERS = [100_000];

await labSuite(
  "lists of tags and referrers that containerds have, upstream off",
  { id: "lists", releases: [old, current] },
  async (lab, step) => {
    const nodes = [lab.node(1), lab.node(2)] as const;
    for (const [index, holder] of nodes.entries()) {
      const other = nodes[1 - index] ?? assert.fail();
      await step(`of node ${index + 1}, and through the other`, async () => {
        await lab.upstream.start();
        const name = `listed${index}`;
        const app = await publish(lab, `${name}:v1`, { layerBytes: LAYERS });
        const { root } = app.image;
        // cosign's name for it.
        const tag = `${root.digest.replace(":", "-")}.sig`;
        const signature = await publish(lab, `${name}:${tag}`, {
          layerBytes: [1000],
          subject: root,
        });
        await holder.containerd.fetch(app.reference);
        await holder.containerd.fetch(signature.reference);
        for (const { image } of [app, signature]) {
          await untilFindable(other, image, { repository: name });
        }
        await lab.upstream.stop();
        const list = async (node: LabNode, path: string) => {
          const { status, body } = await node.agent.request(
            `/v2/${name}/${path}?ns=${UPSTREAM}`,
          );
          return status === 200 ? JSON.parse(body) : status;
        };
        for (const node of [holder, other]) {
          assert.deepEqual(await list(node, "tags/list"), { name, tags: [tag, "v1"] });
          const { manifests } = await list(node, `referrers/${root.digest}`);
          const { mediaType, digest, size } = signature.image.root;
          const artifactType = "application/vnd.oci.image.config.v1+json";
          assert.deepEqual(manifests, [{ mediaType, digest, size, artifactType }]);
        }
        await holder.containerd.remove(signature.reference, signature.image);
        for (const node of [holder, other]) {
          await until(async () => await list(node, `referrers/${root.digest}`) === 404, {
            what: "what was removed not to be listed any more",
            intervalMs: 200,
          });
        }
      });
    }
  },
);
