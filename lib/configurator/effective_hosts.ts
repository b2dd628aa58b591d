import { messageOf } from "../async/thrown.ts";
import type { FileSystem } from "./file_system.ts";
import { requireUsable } from "./host_settings.ts";
import { parseHostsDocument } from "./hosts_document.ts";
import { findRegistryFolder } from "./registry_folder.ts";

/** The configuration that containerd uses for a registry. */
export interface EffectiveHosts {
  /** The first matching directory; containerd reads no other. */
  readonly directory: string;
  /** Its hosts.toml; undefined if it has none (the directory still hides all others). */
  readonly file: string | undefined;
  /** URLs of the hosts in the order in which they are tried, before upstream. */
  readonly hosts: readonly string[];
  /** Why containerd does not use the file; undefined if it does. */
  readonly problem: string | undefined;
}

/**
 * Reads which hosts containerd asks for a registry.
 *
 * @returns undefined if there is no folder, see {@link findRegistryFolder}.
 */
export async function effectiveHosts(
  fileSystem: Pick<FileSystem, "directory" | "readThrough">,
  paths: readonly string[],
  registry: string,
): Promise<EffectiveHosts | undefined> {
  const folder = await findRegistryFolder(fileSystem, paths, registry);
  if (folder === undefined) return undefined;
  const found = { directory: folder.path, file: folder.file?.path };
  if (folder.file === undefined) return { ...found, hosts: [], problem: undefined };
  try {
    const document = parseHostsDocument(folder.file.bytes);
    requireUsable(document, folder.path);
    return { ...found, hosts: document.hosts.map(([url]) => url), problem: undefined };
  } catch (error) {
    return { ...found, hosts: [], problem: messageOf(error) };
  }
}
