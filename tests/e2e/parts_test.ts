import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { splitDigest } from "../../lib/oci/digest.ts";
import { containerdReleases } from "./lab/containerd_release.ts";
import type { Blob } from "./lab/image.ts";
import type { LabNode } from "./lab/lab.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { untilAllFound } from "./lab/until_all_found.ts";
import { untilFindable } from "./lab/until_findable.ts";

const MIB = 1024 * 1024;
const LAYER_BYTES = 96 * MIB;
/** containerd asks for parts of 16 MiB here. */
const MIN_PARTS = LAYER_BYTES / (16 * MIB);
/** What each node sends at least: one part. */
const SHARE_BYTES = 12 * MIB;

const { current } = containerdReleases();

await labSuite(
  "containerd fetches a large layer in parts, several at once, from two nodes",
  { id: "parts", releases: [current, current, current] },
  async (lab, step) => {
    const [n1, n2, n3] = [lab.node(1), lab.node(2), lab.node(3)];
    const holders = [n1, n2];
    await n3.containerd.stop();
    await n3.containerd.start({ fetchesParts: true });

    const ways = {
      "CRI": (reference: string) => n3.containerd.cri.pull(reference),
      "the transfer service": (reference: string) =>
        n3.containerd.ctr(["images", "pull", "--hosts-dir", n3.containerd.certsPath, reference]),
    };
    for (const [index, [way, pull]] of Object.entries(ways).entries()) {
      await step(`${way}, upstream off`, async () => {
        const name = `parts-${index}`;
        const published = await publish(lab, name, { layerBytes: [LAYER_BYTES], plain: true });
        const { image, repository, reference, digestReference } = published;
        for (const { containerd } of holders) await containerd.cri.pull(reference);
        await untilFindable(n3, image, { repository, blobsOnly: true });
        await untilAllFound(n3, image, holders.length);
        await lab.upstream.stop();

        const sent = () => Promise.all(holders.map(({ host }) => lab.network.sentBytes(host)));
        const before = await sent();
        const start = performance.now();
        await pull(digestReference);
        report(`${way}: ${LAYER_BYTES / MIB} MiB in ${(performance.now() - start).toFixed(0)} ms`);
        const shares = (await sent()).map((bytes, holder) => bytes - (before[holder] ?? 0));

        const [layer = assert.fail("no layer")] = image.layers;
        assert.deepEqual(await n3.containerd.lacks(image), []);
        assert.equal(await hashOf(n3, layer), layer.digest);
        const parts = await partsOf(n3, layer);
        assert.ok(parts >= MIN_PARTS, `${parts} requests for a part of the layer`);
        const said = shares.map((bytes) => `${(bytes / MIB).toFixed(0)} MiB`).join(", ");
        assert.ok(shares.every((bytes) => bytes >= SHARE_BYTES), `the two nodes sent ${said}`);
      });
    }
  },
);

/** The digest of what a node's containerd has on its disk. */
async function hashOf({ containerd }: LabNode, { digest }: Blob): Promise<string> {
  const { hex } = splitDigest(digest);
  const bytes = await Deno.readFile(`${containerd.contentPath}/blobs/sha256/${hex}`);
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** How many requests for a part of a blob a node's agent has answered with that part. */
async function partsOf({ agent }: LabNode, { digest }: Blob): Promise<number> {
  const lines = await agent.log();
  return lines.filter(({ path, status }) => status === 206 && String(path).endsWith(digest)).length;
}
