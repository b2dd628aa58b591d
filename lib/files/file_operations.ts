/** A file that was just made and is being filled. */
export interface OpenFile extends Disposable {
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Puts what was written, and the file's attributes, on the disk. */
  sync(): Promise<void>;
}

/** What the durable writer asks of the system; tests cut the power between any two of these. */
export interface FileOperations {
  /** Makes a file that must not exist yet: a link that somebody put there is not followed. */
  createNew(path: string, mode: number): Promise<OpenFile>;
  symlink(target: string, path: string): Promise<void>;
  /** Gives a file away, where the process may. */
  chown(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, link or empty directory. */
  remove(path: string): Promise<void>;
  /** Makes one directory; false if there is one. */
  makeDirectory(path: string, mode: number): Promise<boolean>;
  /** Puts the entries of a directory on the disk, where the file system can. */
  syncDirectory(path: string): Promise<void>;
}

/** The machine's own file system. */
export const denoOperations: FileOperations = {
  async createNew(path, mode) {
    const file = await Deno.open(path, { write: true, createNew: true, mode });
    return {
      async write(bytes) {
        for (let written = 0; written < bytes.length;) {
          written += await file.write(bytes.subarray(written));
        }
      },
      sync: () => file.sync(),
      [Symbol.dispose]: () => file.close(),
    };
  },
  symlink: (target, path) => Deno.symlink(target, path),
  async chown(path, { uid, gid }) {
    try {
      await Deno.chown(path, uid, gid);
    } catch (error) {
      // Only root can give files away; whoever else writes keeps them.
      if (!(error instanceof Deno.errors.PermissionDenied) && codeOf(error) !== "EPERM") {
        throw error;
      }
    }
  },
  async chmod(path, mode) {
    if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
  async makeDirectory(path, mode) {
    try {
      await Deno.mkdir(path, { mode });
      return true;
    } catch (error) {
      const there = error instanceof Deno.errors.AlreadyExists &&
        (await Deno.stat(path)).isDirectory;
      if (there) return false;
      throw error;
    }
  },
  async syncDirectory(path) {
    if (Deno.build.os === "windows") return;
    try {
      using directory = await Deno.open(path, { read: true });
      await directory.sync();
    } catch (error) {
      // Some file systems cannot; a disk that fails must not be taken for one of those.
      if (["EIO", "ENOSPC", "EDQUOT"].includes(codeOf(error))) throw error;
    }
  },
};

/** The code of a system call's failure, such as `ENOSPC`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
