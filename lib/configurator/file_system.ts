/** Content and attributes of a regular file. */
export interface RegularFile {
  readonly kind: "file";
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Permission bits. */
  readonly mode: number;
  /** Owner, where the platform has one and it matters. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A symbolic link; `target` is its literal text. */
export interface SymbolicLink {
  readonly kind: "link";
  readonly target: string;
}

/** What can exist at the path of a configuration file. */
export type FileVersion = RegularFile | SymbolicLink;

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "link" | "other";
}

/**
 * The configurator's file operations, an interface so that tests can interrupt each of them. A
 * missing file is a value; every other failure throws a ConfiguratorError.
 */
export interface FileSystem {
  /** Entries sorted by name; undefined if there is no such directory. */
  list(path: string): Promise<readonly DirectoryEntry[] | undefined>;
  /**
   * Reads a path without following links; undefined if nothing exists there. Rejects for
   * directories, special files and files above 1 MiB.
   */
  read(path: string): Promise<FileVersion | undefined>;
  /** Reads a regular file, following links; undefined if there is none. */
  readThrough(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Permission bits and inode of a directory, following links; undefined if there is none. */
  directory(path: string): Promise<{ mode: number; inode: number | null } | undefined>;
  /** The path with all links resolved; undefined for a dangling one. */
  realPath(path: string): Promise<string | undefined>;
  /** Makes one directory, durably, with exactly this mode; succeeds if it exists. */
  makeDirectory(path: string, mode: number): Promise<void>;
  /** Writes a file or link that must not exist yet; resolves when a file's bytes are on disk. */
  create(path: string, version: FileVersion): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, link or empty directory; false for a directory that is not empty. */
  remove(path: string): Promise<boolean>;
  /** Syncs a directory's entries to disk, where the file system supports it. */
  sync(path: string): Promise<void>;
}

/** Compares the content of two versions and, with `modes`, their permissions. */
export function sameVersion(
  a: FileVersion | undefined,
  b: FileVersion | undefined,
  options: { readonly modes: boolean },
): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === "link" || b.kind === "link") {
    return a.kind === "link" && b.kind === "link" && a.target === b.target;
  }
  return (!options.modes || a.mode === b.mode) && a.bytes.length === b.bytes.length &&
    a.bytes.every((byte, index) => byte === b.bytes[index]);
}
