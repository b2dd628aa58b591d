import { type Digest, splitDigest } from "../../../lib/oci/digest.ts";
import type { Blob, Image } from "../../e2e/lab/image.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** Reads the one image of an OCI archive (image-spec, image-layout.md), as `.ci/image` writes it. */
export async function readImageArchive(archive: string): Promise<Image> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-image-" });
  try {
    await runCommand(["tar", "-xf", archive, "-C", directory]);
    const read = async ({ mediaType, digest, size }: Descriptor): Promise<Blob> => {
      const { algorithm, hex } = splitDigest(digest);
      const content = await Deno.readFile(`${directory}/blobs/${algorithm}/${hex}`);
      return { mediaType, digest, size, content };
    };
    const { manifests } = JSON.parse(await Deno.readTextFile(`${directory}/index.json`));
    const root = await read(manifests[0]);
    const manifest = JSON.parse(new TextDecoder().decode(root.content));
    const layers = await Promise.all((manifest.layers as Descriptor[]).map(read));
    const blobs = [await read(manifest.config), ...layers];
    return { root, manifests: [root], blobs, pulled: [root, ...blobs], layers };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
