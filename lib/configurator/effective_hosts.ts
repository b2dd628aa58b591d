import { messageOf } from "../async/thrown.ts";
import type { FileSystem } from "./file_system.ts";
import { parseHostsDocument } from "./hosts_document.ts";
import { DEFAULT_FOLDER } from "./settings.ts";

/** The configuration that containerd uses for a registry. */
export interface EffectiveHosts {
  /** The first matching directory; containerd reads no other. */
  readonly directory: string;
  /** Its hosts.toml; undefined if it has none (the directory still hides all others). */
  readonly file: string | undefined;
  /** URLs of the hosts in the order in which they are tried, before upstream. */
  readonly hosts: readonly string[];
  /** Why the file cannot be parsed; undefined if it can. */
  readonly problem: string | undefined;
}

/**
 * Finds the configuration that containerd uses for a registry: in the directories of `config_path`,
 * in order, the first folder named after the registry (`host_port_` or `host:port`) or `_default`.
 * A folder counts even if it is empty.
 *
 * Source: containerd core/remotes/docker/config (HostDirFromRoot, hostPaths) and its CRI plugin's
 * hostDirFromRoots.
 *
 * @returns undefined if there is no such folder: containerd then asks upstream alone.
 */
export async function effectiveHosts(
  fileSystem: Pick<FileSystem, "directory" | "readThrough">,
  paths: readonly string[],
  registry: string,
): Promise<EffectiveHosts | undefined> {
  const names = [...new Set([withoutColon(registry), registry, DEFAULT_FOLDER])];
  for (const root of paths) {
    for (const name of names) {
      const directory = `${root}/${name}`;
      if (await fileSystem.directory(directory) !== undefined) {
        return await readHosts(fileSystem, directory);
      }
    }
  }
  return undefined;
}

async function readHosts(
  fileSystem: Pick<FileSystem, "readThrough">,
  directory: string,
): Promise<EffectiveHosts> {
  const path = `${directory}/hosts.toml`;
  const bytes = await fileSystem.readThrough(path);
  if (bytes === undefined) return { directory, file: undefined, hosts: [], problem: undefined };
  try {
    const hosts = parseHostsDocument(bytes).hosts.map(([url]) => url);
    return { directory, file: path, hosts, problem: undefined };
  } catch (error) {
    const problem = messageOf(error);
    return { directory, file: path, hosts: [], problem };
  }
}

function withoutColon(registry: string): string {
  const colon = registry.lastIndexOf(":");
  return colon > 0 ? `${registry.slice(0, colon)}_${registry.slice(colon + 1)}_` : registry;
}
