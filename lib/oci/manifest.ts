import type { Descriptor } from "./descriptor.ts";
import { isDigest } from "./digest.ts";
import { OCTET_STREAM } from "./media_type.ts";

/** Maximum children of one document; more is considered an attack and ignored. */
const MAX_CHILDREN = 4096;

/**
 * Lists the children of an index (`manifests`) or a manifest (`config`, `layers`), in that order.
 * Malformed entries and unsupported digests are skipped: a walk must survive them.
 *
 * @param content the document's bytes.
 * @returns an empty list if the document is not JSON or has no children.
 */
export function manifestChildren(content: Uint8Array): Descriptor[] {
  return entriesOf(content).flatMap(asDescriptor);
}

/**
 * Like {@link manifestChildren}, without layers that registries do not hold: those with `urls`
 * (image specification, "Descriptors") or a non-distributable media type.
 */
export function distributedChildren(content: Uint8Array): Descriptor[] {
  return entriesOf(content).filter((entry) => !isForeign(entry)).flatMap(asDescriptor);
}

function entriesOf(content: Uint8Array): unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(content));
  } catch {
    return [];
  }
  if (typeof document !== "object" || document === null) return [];
  const { manifests, config, layers } = document as Record<string, unknown>;
  return [...asList(manifests), ...asList(config === undefined ? [] : [config]), ...asList(layers)]
    .slice(0, MAX_CHILDREN);
}

function isForeign(entry: unknown): boolean {
  const { urls, mediaType } = (entry ?? {}) as Record<string, unknown>;
  return asList(urls).length > 0 || /\.(nondistributable|foreign)\./.test(String(mediaType));
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function asDescriptor(value: unknown): Descriptor[] {
  if (typeof value !== "object" || value === null) return [];
  const { digest, mediaType, size } = value as Record<string, unknown>;
  if (typeof digest !== "string" || !isDigest(digest)) return [];
  return [{
    digest,
    mediaType: typeof mediaType === "string" ? mediaType : OCTET_STREAM,
    size: typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : 0,
  }];
}
