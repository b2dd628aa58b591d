import { type Digest, isDigest } from "./digest.ts";
import { detectMediaType, OCI_INDEX, OCI_MANIFEST } from "./media_type.ts";

/** What a manifest that is about another one says of itself. */
export interface Referrer {
  /** Digest of the manifest that it is about. */
  readonly subject: Digest;
  readonly mediaType: string;
  /** Its type, or that of its configuration; an index may have none. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A descriptor in a list of referrers. */
export interface ReferrerDescriptor extends Omit<Referrer, "subject"> {
  readonly digest: Digest;
  /** Size, bytes. */
  readonly size: number;
}

/**
 * Reads what the list of referrers says of a manifest or index (distribution specification, "Listing
 * Referrers").
 *
 * @returns undefined if it has no valid `subject`.
 */
export function parseReferrer(content: Uint8Array): Referrer | undefined {
  const text = new TextDecoder().decode(content);
  // Few manifests have one, so most are not parsed.
  if (!text.includes('"subject"')) return undefined;
  const mediaType = detectMediaType(content);
  if (mediaType !== OCI_MANIFEST && mediaType !== OCI_INDEX) return undefined;
  const document = JSON.parse(text) as Record<string, unknown>;
  const { digest } = asObject(document["subject"]);
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  const { mediaType: configType } = asObject(document["config"]);
  const type = asText(document["artifactType"]) ??
    (mediaType === OCI_MANIFEST ? asText(configType) : undefined);
  const annotations = Object.entries(asObject(document["annotations"]))
    .filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return {
    subject: digest,
    mediaType,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
