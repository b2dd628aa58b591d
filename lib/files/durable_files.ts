import { dirname } from "node:path";
import { denoOperations, type FileOperations } from "./file_operations.ts";

/** A regular file to write. */
export interface NewFile {
  readonly kind: "file";
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
  /** Permission bits. */
  readonly mode: number;
  /** Owner; default: the process's user. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A symbolic link to create; `target` is its literal text. */
export interface NewLink {
  readonly kind: "link";
  readonly target: string;
}

/** Operations of {@link writeDurably}; `Entry` is what can be written. */
export interface EntryWriter<Entry> {
  /** Creates an entry that must not exist; resolves when it is complete and on disk. */
  create(path: string, entry: Entry): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<unknown>;
  /** Syncs a directory's entries to disk. */
  sync(path: string): Promise<void>;
}

/** Durable operations on files and directories. */
export interface DurableFiles extends EntryWriter<NewFile | NewLink> {
  /** Makes a directory and its missing parents; they survive a power loss. */
  makeDirectories(path: string, mode: number): Promise<void>;
}

/** Builds durable operations from the system's. */
export function durableFiles(operations: FileOperations): DurableFiles {
  const files: DurableFiles = {
    async create(path, entry) {
      if (entry.kind === "link") return await operations.symlink(entry.target, path);
      const { bytes, mode, owner } = entry;
      // Not accessible to others until complete: it may hold secrets, or get another owner.
      using file = await operations.createNew(path, mode & 0o700);
      for await (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) {
        await file.write(chunk);
      }
      if (owner !== undefined) await operations.chown(path, owner);
      await operations.chmod(path, mode);
      await file.sync();
    },
    rename: (from, to) => operations.rename(from, to),
    remove: (path) => operations.remove(path),
    sync: (path) => operations.syncDirectory(path),
    async makeDirectories(path, mode) {
      try {
        if (!await operations.makeDirectory(path, mode)) return;
      } catch (error) {
        const parent = dirname(path);
        if (!(error instanceof Deno.errors.NotFound) || parent === path) throw error;
        await files.makeDirectories(parent, mode);
        await operations.makeDirectory(path, mode);
      }
      await operations.syncDirectory(dirname(path));
    },
  };
  return files;
}

/** On the real file system. */
export const denoFiles: DurableFiles = durableFiles(denoOperations);
