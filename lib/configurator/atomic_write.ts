import type { FileSystem, FileVersion } from "./file_system.ts";

/** Begins the names of files that are being written; what a crash leaves of them is cleared later. */
export const TEMPORARY_PREFIX = ".eddy-tmp-";

/**
 * Puts a file or link at `path` so that a reader, or a crash at any time, finds the old or the new
 * one whole: written beside it, or in the directory `through` of the same file system, synced,
 * renamed over it.
 */
export async function atomicWrite(
  fileSystem: FileSystem,
  path: string,
  version: FileVersion,
  through?: string,
): Promise<void> {
  const parent = path.slice(0, path.lastIndexOf("/"));
  const temporary = `${through ?? parent}/${TEMPORARY_PREFIX}${crypto.randomUUID()}`;
  try {
    await fileSystem.create(temporary, version);
    await fileSystem.rename(temporary, path);
  } catch (error) {
    await fileSystem.remove(temporary).catch(() => false);
    throw error;
  }
  await fileSystem.sync(parent);
}
