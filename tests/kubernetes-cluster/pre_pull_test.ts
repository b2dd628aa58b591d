import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { digestOf } from "../../lib/oci/digest.ts";
import { type Blob, createImage, type Image } from "../e2e/lab/image.ts";
import { report } from "../e2e/lab/report.ts";
import { UPSTREAM } from "../e2e/lab/upstream.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { NAMESPACE } from "./lab/eddy_release.ts";
import { readImageArchive } from "./lab/read_image_archive.ts";
import { clusterSuite, seconds } from "./lab/suite.ts";

const EXAMPLE = fileURLToPath(new URL("../../deploy/examples/pre-pull.yaml", import.meta.url));
const REPOSITORY = "open/eddy";
const IMAGE = `${UPSTREAM}/${REPOSITORY}`;
const LAYER_BYTES = 5_000_000;

await clusterSuite("Eddy's next image", async (cluster, step) => {
  const { eddy, upstream } = cluster;
  const kubectl = (...argv: string[]) =>
    cluster.kubectl(["--namespace", NAMESPACE, ...argv], { timeoutMs: 130_000 });
  const rolledOut = () => kubectl("rollout", "status", "daemonset/eddy-pre-pull", "--timeout=120s");
  const { image, layer } = await nextImage();
  const downloads = async () =>
    (await upstream.downloads()).filter(({ path, status }) =>
      path.endsWith(layer.digest) && status < 400
    ).length;

  await step("agents run, and the example with their image", async () => {
    await eddy.install();
    await eddy.untilConnected();
    await using directory = await tempDirectory();
    const manifest = `${directory.path}/pre-pull.yaml`;
    const example = await Deno.readTextFile(EXAMPLE);
    await Deno.writeTextFile(manifest, example.replace("image: REGISTRY/eddy", `image: ${IMAGE}`));
    await kubectl("apply", "-f", manifest);
    await rolledOut();
  });

  await step("one node pulls the next image from upstream, the others from it", async () => {
    await upstream.add(image, REPOSITORY, "next");
    const start = performance.now();
    await kubectl("set", "image", "daemonset/eddy-pre-pull", `eddy=${IMAGE}:next`);
    await rolledOut();
    report(`next image on ${cluster.nodes.length} nodes ${seconds(performance.now() - start)}`);
    assert.equal(await downloads(), 1, "downloads of the new layer from upstream");
  });

  await step("the upgrade pulls nothing more", async () => {
    await eddy.upgrade(["image.tag=next"]);
    await kubectl("delete", "daemonset", "eddy-pre-pull");
    assert.equal(await downloads(), 1, "downloads of the new layer from upstream");
    await eddy.untilConnected();
  });
});

/** The image that `EDDY_IMAGE` names with one more layer. */
async function nextImage(): Promise<{ readonly image: Image; readonly layer: Blob }> {
  const present = await readImageArchive(Deno.env.get("EDDY_IMAGE") ?? "");
  const { layers: [layer] } = createImage({
    seed: "next",
    layerBytes: [LAYER_BYTES],
    // Its digest is that of its content, then.
    plain: true,
  });
  assert.ok(layer);
  const manifest = parse(present.root);
  const old = present.blobs.find(({ digest }) => digest === manifest.config.digest);
  assert.ok(old);
  const config = parse(old);
  config.rootfs.diff_ids.push(layer.digest);
  delete config.history;
  const newConfig = document(old.mediaType, config);
  manifest.config = descriptor(newConfig);
  manifest.layers.push(descriptor(layer));
  const root = document(present.root.mediaType, manifest);
  const layers = [...present.layers, layer];
  const blobs = [newConfig, ...layers];
  return {
    image: { root, manifests: [root], blobs, pulled: [root, ...blobs], layers },
    layer,
  };
}

// deno-lint-ignore no-explicit-any
function parse({ content }: Blob): any {
  return JSON.parse(new TextDecoder().decode(content));
}

function document(mediaType: string, value: unknown): Blob {
  const content = new TextEncoder().encode(JSON.stringify(value));
  return { mediaType, digest: digestOf(content), size: content.length, content };
}

function descriptor({ mediaType, digest, size }: Blob) {
  return { mediaType, digest, size };
}
