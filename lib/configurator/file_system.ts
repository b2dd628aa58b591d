/** A regular file as it is, or is to be. */
export interface RegularFile {
  readonly kind: "file";
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Permission bits. */
  readonly mode: number;
  /** Owner, where the platform has one and it matters. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A symbolic link as it is, or is to be; `target` is its literal text. */
export interface SymbolicLink {
  readonly kind: "link";
  readonly target: string;
}

/** What can stand at the path of a configuration file. */
export type FileVersion = RegularFile | SymbolicLink;

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "link" | "other";
}

/**
 * The file operations of the configurator, so that tests can interrupt each of them. Absence is a
 * value; everything else that fails throws a ConfiguratorError.
 */
export interface FileSystem {
  /** Entries sorted by name; undefined if there is no such directory. */
  list(path: string): Promise<readonly DirectoryEntry[] | undefined>;
  /**
   * What stands at a path, links not followed; undefined if nothing does. Rejects for directories,
   * special files and files above 1 MiB.
   */
  read(path: string): Promise<FileVersion | undefined>;
  /** Bytes of the regular file that a path leads to, links followed; undefined if there is none. */
  readThrough(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Permission bits and inode of a directory, links followed; undefined if there is none. */
  directory(path: string): Promise<{ mode: number; inode: number | null } | undefined>;
  /** The path with all links resolved; undefined if it leads nowhere. */
  realPath(path: string): Promise<string | undefined>;
  /** Makes one directory, durably, with exactly this mode; content with one that is there already. */
  makeDirectory(path: string, mode: number): Promise<void>;
  /** Writes a file or link that must not exist yet; a file's bytes are on the disk when it resolves. */
  create(path: string, version: FileVersion): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, link or empty directory; false if it is a directory that is not empty. */
  remove(path: string): Promise<boolean>;
  /** Puts a directory's entries on the disk where its file system can. */
  sync(path: string): Promise<void>;
}

/** Tells whether two versions are the same content; with `modes`, also the same permissions. */
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
