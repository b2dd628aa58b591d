import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import type { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";

/** Content and what it is known by. */
export interface TestContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** An image of one layer that no other has anything in common with. */
export interface TestImage {
  readonly manifest: TestContent;
  readonly config: TestContent;
  readonly layer: TestContent;
  /** A manifest about the other one. */
  readonly signature: TestContent;
}

const LAYER_BYTES = 20_000;

/** Makes an image. */
export function makeImage(): TestImage {
  const layer = content(crypto.getRandomValues(new Uint8Array(LAYER_BYTES)), OCTET_STREAM);
  const config = content(
    JSON.stringify({ architecture: "amd64", os: "linux", id: crypto.randomUUID() }),
    OCI_CONFIG,
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: describe(config),
    layers: [describe(layer)],
  };
  const image = content(JSON.stringify(manifest), OCI_MANIFEST);
  const about = { ...manifest, artifactType: "application/x-signature", subject: describe(image) };
  const signature = content(JSON.stringify(about), OCI_MANIFEST);
  return { layer, config, manifest: image, signature };
}

/** Puts an image into a layout, as a runtime does that has pulled it. */
export async function store(
  writer: OciLayoutWriter,
  { manifest, config, layer, signature }: TestImage,
  reference: string,
): Promise<void> {
  await writer.putBlob(layer.bytes, layer.digest);
  await writer.putBlob(config.bytes, config.digest);
  await writer.putManifest(
    signature.bytes,
    `${reference.replace(/:[^:/]*$/, "")}@${signature.digest}`,
  );
  await writer.putManifest(manifest.bytes, reference);
}

function content(source: string | Uint8Array<ArrayBuffer>, mediaType: string): TestContent {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  return {
    bytes,
    mediaType,
    digest: digestOf(bytes),
  };
}

function describe({ bytes, digest, mediaType }: TestContent) {
  return { mediaType, digest, size: bytes.length };
}
