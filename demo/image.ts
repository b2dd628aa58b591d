import type { Descriptor } from "../lib/oci/descriptor.ts";
import { type Digest, digestOf } from "../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../lib/oci/media_type.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar";
const MIB = 1024 * 1024;
/** Limit of one call of `crypto.getRandomValues`. */
const RANDOM_BYTES = 65_536;

/** A generated image. */
export interface DemoImage {
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly manifestDigest: Digest;
  /** Configuration and layers. */
  readonly blobs: readonly { descriptor: Descriptor; content: Uint8Array<ArrayBuffer> }[];
}

/** Generates an image of random layers, one per size in MiB. */
export function generateImage(layerMib: readonly number[]): DemoImage {
  const layers = layerMib.map((mib) => blob(randomBytes(mib * MIB), LAYER));
  const config = blob(
    json({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
    }),
    OCI_CONFIG,
  );
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  return { manifest, manifestDigest: digestOf(manifest), blobs: [config, ...layers] };
}

function blob(content: Uint8Array<ArrayBuffer>, mediaType: string) {
  return { descriptor: { mediaType, digest: digestOf(content), size: content.length }, content };
}

function json(document: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(document));
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += RANDOM_BYTES) {
    crypto.getRandomValues(bytes.subarray(offset, Math.min(offset + RANDOM_BYTES, size)));
  }
  return bytes;
}
