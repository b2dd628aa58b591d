import type { FileSystem } from "./file_system.ts";
import { DEFAULT_FOLDER } from "./settings.ts";
import { HOSTS_FILE } from "./snapshot.ts";

/** The folder that containerd reads for a registry. */
export interface RegistryFolder {
  readonly path: string;
  /** It is the default folder, not one named after the registry. */
  readonly isDefault: boolean;
  /** Path and content of its hosts.toml; undefined if it has none. */
  readonly file: { readonly path: string; readonly bytes: Uint8Array } | undefined;
}

/**
 * Finds the folder that containerd reads for a registry: in the directories of `config_path`, in
 * order, the first folder named after the registry (`host_port_` or `host:port`) or `_default`. A
 * folder counts even if it is empty.
 *
 * Source: containerd core/remotes/docker/config (HostDirFromRoot, hostPaths) and its CRI plugin's
 * hostDirFromRoots.
 *
 * @returns undefined if there is no such folder: containerd then asks upstream alone.
 */
export async function findRegistryFolder(
  fileSystem: Pick<FileSystem, "directory" | "readThrough">,
  paths: readonly string[],
  registry: string,
): Promise<RegistryFolder | undefined> {
  const names = new Set([withoutColon(registry), registry, DEFAULT_FOLDER]);
  for (const root of paths) {
    for (const name of names) {
      const folder = `${root}/${name}`;
      if (await fileSystem.directory(folder) === undefined) continue;
      const path = `${folder}/${HOSTS_FILE}`;
      const bytes = await fileSystem.readThrough(path);
      const file = bytes === undefined ? undefined : { path, bytes };
      return { path: folder, isDefault: name === DEFAULT_FOLDER, file };
    }
  }
  return undefined;
}

function withoutColon(registry: string): string {
  const colon = registry.lastIndexOf(":");
  return colon > 0 ? `${registry.slice(0, colon)}_${registry.slice(colon + 1)}_` : registry;
}
