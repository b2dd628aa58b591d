import { type Digest, isDigest } from "../../oci/digest.ts";

/** Deno's names of architectures to those of images. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/**
 * Chooses the image of an index for a machine; the first one if none matches.
 *
 * @returns undefined if the index has no images.
 */
export function choosePlatform(
  index: Uint8Array,
  machine: { readonly os: string; readonly arch: string },
): Digest | undefined {
  const { manifests } = JSON.parse(new TextDecoder().decode(index)) as { manifests?: unknown };
  const entries = (Array.isArray(manifests) ? manifests : []).flatMap((entry) => {
    const { digest, platform } = (entry ?? {}) as Record<string, unknown>;
    if (typeof digest !== "string" || !isDigest(digest)) return [];
    const { os, architecture } = (platform ?? {}) as Record<string, unknown>;
    return [{ digest, os, architecture }];
  });
  const architecture = ARCHITECTURES[machine.arch] ?? machine.arch;
  const fits = entries.find((entry) =>
    entry.os === machine.os && entry.architecture === architecture
  );
  return (fits ?? entries[0])?.digest;
}
