import { TEMPORARY_PREFIX } from "../files/write_durably.ts";

/** What Eddy keeps in its data directory; the operations page describes each. */
export const DATA_FILES: readonly string[] = [
  "private.key",
  "private-repositories.json",
  "upstream-registries.json",
  "peers.json",
];

/** The files of Eddy's in its data directory, as paths; none if there is no such directory. */
export async function findData(directory: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(directory));
    return entries.filter(({ name, isFile }) => isFile && isOwn(name))
      .map(({ name }) => `${directory}/${name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * Removes them, and then the directory if that is empty and not mounted.
 *
 * @returns the files that were removed.
 */
export async function removeData(directory: string): Promise<string[]> {
  const files = await findData(directory);
  for (const file of files) {
    await Deno.remove(file).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  // Not empty, a mount of its own, or gone: whatever is left is not Eddy's.
  if (files.length > 0) await Deno.remove(directory).catch(() => {});
  return files;
}

function isOwn(name: string): boolean {
  return DATA_FILES.includes(name) || name.startsWith(TEMPORARY_PREFIX);
}
