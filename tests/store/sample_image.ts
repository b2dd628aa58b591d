import type { Digest } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_type.ts";

/** Adds content to whatever a test fills, and says which digest it has. */
export type Put = (content: string) => Promise<Digest>;

/** The parts of an image, made but not yet added. */
export interface SampleImage {
  readonly config: string;
  readonly layers: readonly string[];
  /** Manifest that names the above, by the digests that `digestOf` gave. */
  readonly manifest: string;
}

/** Makes an image of two small layers; different seeds give different images. */
export function sampleImage(seed: string, digestOf: (content: string) => Digest): SampleImage {
  const layers = [`first layer of ${seed}`, `second layer of ${seed}`];
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Labels: { seed } },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
  });
  const describe = (mediaType: string, content: string) => ({
    mediaType,
    digest: digestOf(content),
    size: new TextEncoder().encode(content).length,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: describe(OCI_CONFIG, config),
    layers: layers.map((layer) => describe("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  return { config, layers, manifest };
}

/** Makes an index of manifests. */
export function sampleIndex(manifests: readonly string[], digestOf: (content: string) => Digest) {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map((content) => ({
      mediaType: OCI_MANIFEST,
      digest: digestOf(content),
      size: new TextEncoder().encode(content).length,
    })),
  });
}

/** Adds an image whole, children first as a pull does; the digests of all its content. */
export async function putImage(image: SampleImage, put: Put): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (const content of [...image.layers, image.config, image.manifest]) {
    digests.unshift(await put(content));
  }
  return digests;
}
