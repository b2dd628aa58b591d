import { splitDigest } from "../../../lib/oci/digest.ts";
import type { Image } from "./image.ts";

/** An image under its full name, `registry/repository:tag`. */
export interface NamedImage {
  readonly name: string;
  readonly image: Image;
}

/** Writes images as a directory in OCI image layout, with what this platform pulls of them. */
export async function writeLayout(
  directory: string,
  images: readonly NamedImage[],
): Promise<void> {
  await Deno.mkdir(`${directory}/blobs/sha256`, { recursive: true });
  await Deno.writeTextFile(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  for (const { image } of images) {
    for (const { digest, content } of image.pulled) {
      await Deno.writeFile(`${directory}/blobs/sha256/${splitDigest(digest).hex}`, content);
    }
  }
  const manifests = images.map(({ name, image: { root: { mediaType, digest, size } } }) => ({
    mediaType,
    digest,
    size,
    annotations: { "io.containerd.image.name": name },
  }));
  await Deno.writeTextFile(
    `${directory}/index.json`,
    JSON.stringify({ schemaVersion: 2, manifests }),
  );
}
