import { dirname } from "node:path";
import { denoFiles, type DurableFiles, type EntryWriter, type NewFile } from "./durable_files.ts";

/** Begins the names of what is being written; a crash may leave some. */
export const TEMPORARY_PREFIX = ".eddy-tmp-";

/**
 * Puts a file or link at `path` in place of what is there, a link included, so that a reader, a
 * crash or a power loss at any time finds the old or the new one whole; when this resolves, the new
 * one. It is written beside the place, or in the directory `through` of the same file system, under
 * a name that nobody can guess, synced, renamed, and the directory synced. What fails leaves nothing.
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
 * The same for a file whose place turns out only when all has been written.
 *
 * @param place tells it then; it may throw, and nothing is left.
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

/** A path in a directory that nobody else has. */
export function temporaryIn(directory: string): string {
  return `${directory}/${TEMPORARY_PREFIX}${crypto.randomUUID()}`;
}

/** Permissions of a file, and of the directories that have to be made for it. */
export interface Modes {
  readonly mode: number;
  readonly directoryMode: number;
}

/** Writes a file as {@link writeDurably} does, and makes its directory if it is missing. */
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

/** A write takes no longer than that, ms. */
const STALE_MS = 3_600_000;

/** Removes what crashes of earlier runs left in a directory. Does not reject. */
export async function clearTemporaries(directory: string): Promise<void> {
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (!isFile || !name.startsWith(TEMPORARY_PREFIX)) continue;
      const path = `${directory}/${name}`;
      const { mtime } = await Deno.lstat(path);
      if (Date.now() - (mtime?.getTime() ?? 0) > STALE_MS) await Deno.remove(path);
    }
  } catch {
    // It costs room, nothing else.
  }
}
