import { dirname } from "node:path";
import { denoFiles, type DurableFiles, type EntryWriter, type NewFile } from "./durable_files.ts";

/** Name prefix of temporary files; a crash may leave some. */
export const TEMPORARY_PREFIX = ".eddy-tmp-";

/**
 * Replaces whatever is at `path` (a link included) with a file or link. A reader, a crash or a
 * power loss at any time finds the old or the new version complete; once this resolves, the new
 * one. The file is written to the same directory, or to `through` on the same file system, under an
 * unguessable name, then synced and renamed, and the directory synced. A failure leaves nothing.
 */
export function writeDurably<Entry>(
  files: EntryWriter<Entry>,
  path: string,
  entry: Entry,
  through = dirname(path),
): Promise<void> {
  return writeThrough(files, through, entry, () => path);
}

/**
 * Like {@link writeDurably}, for a file whose path is known only once it is written.
 *
 * @param place returns the path then; if it throws, nothing is left.
 */
export async function writeThrough<Entry>(
  files: EntryWriter<Entry>,
  through: string,
  entry: Entry,
  place: () => string | Promise<string>,
): Promise<void> {
  const temporary = temporaryIn(through);
  let path: string;
  try {
    await files.create(temporary, entry);
    path = await place();
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => {});
    throw error;
  }
  await files.sync(dirname(path));
}

/** A unique path in a directory. */
export function temporaryIn(directory: string): string {
  return `${directory}/${TEMPORARY_PREFIX}${crypto.randomUUID()}`;
}

/** Permissions of a file, and of directories made for it. */
export interface Modes {
  readonly mode: number;
  readonly directoryMode: number;
}

/** Writes a file like {@link writeDurably}, and makes its directory if missing. */
export async function replaceFile(
  path: string,
  content: NewFile["bytes"] | string,
  { mode, directoryMode }: Modes,
  files: DurableFiles = denoFiles,
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await files.makeDirectories(dirname(path), directoryMode);
  await writeDurably(files, path, { kind: "file", bytes, mode });
}

/** Upper bound of a write's duration, ms. */
const STALE_MS = 3_600_000;

/** Removes the temporary files that earlier crashes left in a directory. Does not reject. */
export async function clearTemporaries(directory: string): Promise<void> {
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (!isFile || !name.startsWith(TEMPORARY_PREFIX)) continue;
      const path = `${directory}/${name}`;
      const { mtime } = await Deno.lstat(path);
      if (Date.now() - (mtime?.getTime() ?? 0) > STALE_MS) await Deno.remove(path);
    }
  } catch {
    // They only take space.
  }
}
