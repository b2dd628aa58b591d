/** Larger content is a blob (the distribution specification asks registries to accept 4 MiB). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
export const OCTET_STREAM = "application/octet-stream";

const INDEXES = new Set([OCI_INDEX, DOCKER_LIST]);
const MANIFESTS = new Set([OCI_MANIFEST, DOCKER_MANIFEST, DOCKER_SCHEMA1]);

/** `Accept` of a client that takes any image, as containerd's. */
export const MANIFEST_MEDIA_TYPES: readonly string[] = [
  OCI_INDEX,
  OCI_MANIFEST,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  "*/*",
];

/** Tells whether a media type is an index or manifest list. */
export function isIndexMediaType(mediaType: string): boolean {
  return INDEXES.has(mediaType);
}

/** Tells whether content of this media type is served at `/manifests/` (index or manifest). */
export function isManifestMediaType(mediaType: string): boolean {
  return INDEXES.has(mediaType) || MANIFESTS.has(mediaType);
}

/**
 * Detects the media type of content, since content stores do not keep it: by a manifest's
 * `mediaType` field, else by its shape; `application/octet-stream` for anything that is not a
 * manifest, index or image configuration, or over 4 MiB.
 */
export function detectMediaType(content: Uint8Array): string {
  if (content.length > MAX_MANIFEST_BYTES || !startsLikeJsonObject(content)) return OCTET_STREAM;
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    return OCTET_STREAM;
  }
  const { mediaType } = document;
  if (typeof mediaType === "string" && isManifestMediaType(mediaType)) return mediaType;
  if (document["schemaVersion"] === 2) {
    if (Array.isArray(document["manifests"])) return OCI_INDEX;
    if (Array.isArray(document["layers"]) && isObject(document["config"])) return OCI_MANIFEST;
  }
  if (document["schemaVersion"] === 1 && Array.isArray(document["fsLayers"])) return DOCKER_SCHEMA1;
  if (isObject(document["rootfs"]) && typeof document["architecture"] === "string") {
    return OCI_CONFIG;
  }
  return OCTET_STREAM;
}

function startsLikeJsonObject(content: Uint8Array): boolean {
  for (const byte of content.subarray(0, 16)) {
    if (byte === 0x7b) return true;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return false;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
