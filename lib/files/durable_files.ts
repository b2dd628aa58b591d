import { dirname } from "node:path";
import { denoOperations, type FileOperations } from "./file_operations.ts";

/** A regular file that is to be. */
export interface NewFile {
  readonly kind: "file";
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
  /** Permission bits. */
  readonly mode: number;
  /** Whose it shall be; default: whoever runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A symbolic link that is to be; `target` is its literal text. */
export interface NewLink {
  readonly kind: "link";
  readonly target: string;
}

/** What {@link writeDurably} is made of. `Entry` is what can be written. */
export interface EntryWriter<Entry> {
  /** Makes what must not exist yet; it is whole and on the disk when this resolves. */
  create(path: string, entry: Entry): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<unknown>;
  /** Puts the entries of a directory on the disk. */
  sync(path: string): Promise<void>;
}

/** Durable operations on files and directories. */
export interface DurableFiles extends EntryWriter<NewFile | NewLink> {
  /** Makes a directory and those above it that are missing; what is made outlasts a power loss. */
  makeDirectories(path: string, mode: number): Promise<void>;
}

/** Durable operations, made of the system's. */
export function durableFiles(operations: FileOperations): DurableFiles {
  const files: DurableFiles = {
    async create(path, entry) {
      if (entry.kind === "link") return await operations.symlink(entry.target, path);
      const { bytes, mode, owner } = entry;
      // Closed to others until all is right: it may hold secrets, and be another's in the end.
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

/** On the machine's own file system. */
export const denoFiles: DurableFiles = durableFiles(denoOperations);
