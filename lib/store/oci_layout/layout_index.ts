import { join } from "node:path";
import * as z from "zod";
import { ifPresent } from "../../files/if_present.ts";
import { readSmallFile } from "../../files/read_small_file.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { parseReference } from "../../oci/reference.ts";

/** containerd's annotation with the full image name. */
const CONTAINERD_NAME = "io.containerd.image.name";
/** The image specification's annotation; many tools put only a tag into it. */
const REF_NAME = "org.opencontainers.image.ref.name";
/** Upper bound of an index, bytes. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

const entrySchema = z.looseObject({
  mediaType: z.string().optional(),
  digest: z.string(),
  size: z.number().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(entrySchema),
});

/** An entry of `index.json`; unknown fields are preserved. */
export type LayoutEntry = z.infer<typeof entrySchema>;
/** The document `index.json` of an image layout (image specification, "Image Layout"). */
export type LayoutIndex = z.infer<typeof indexSchema>;

/** Path of the index of the layout in directory `root`. */
export function layoutIndexPath(root: string): string {
  return join(root, "index.json");
}

/**
 * Reads the index of a layout.
 *
 * @returns undefined if there is none.
 * @throws {Error} if it violates the specification.
 */
export async function readLayoutIndex(root: string): Promise<LayoutIndex | undefined> {
  const path = layoutIndexPath(root);
  try {
    const text = await ifPresent(readSmallFile(path, MAX_INDEX_BYTES));
    return text === undefined ? undefined : indexSchema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : error;
    throw new Error(`cannot read ${path}: ${String(reason)}`, { cause: error });
  }
}

/** The full image name of an entry; undefined if it has none. */
export function entryName({ annotations = {} }: LayoutEntry): string | undefined {
  const names = [annotations[CONTAINERD_NAME], annotations[REF_NAME]];
  return names.find((name) => name !== undefined && parseReference(name) !== undefined);
}

/** Annotations that name an entry, for containerd and for other tools. */
export function nameAnnotations(name: string): Record<string, string> {
  return { [CONTAINERD_NAME]: name, [REF_NAME]: name };
}

/**
 * The name and target of each entry; of several entries with one name the last applies. An entry
 * without a full image name, e.g. with a tag only, gets a name that is no valid reference.
 */
export function layoutImages(index: LayoutIndex): Map<string, Digest> {
  const images = new Map<string, Digest>();
  for (const entry of index.manifests) {
    if (!isDigest(entry.digest)) continue;
    const short = entry.annotations?.[REF_NAME] ?? "unnamed";
    images.set(entryName(entry) ?? `${short}@${entry.digest}`, entry.digest);
  }
  return images;
}
