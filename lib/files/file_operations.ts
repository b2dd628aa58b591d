/** A newly created file. */
export interface OpenFile extends Disposable {
  /** Writes all bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Syncs the file's content and attributes to disk. */
  sync(): Promise<void>;
}

/** The system calls of durable writing; tests cut the power between any two. */
export interface FileOperations {
  /** Creates a file that must not exist, without following a planted link. */
  createNew(path: string, mode: number): Promise<OpenFile>;
  symlink(target: string, path: string): Promise<void>;
  /** Changes the owner, where the process may. */
  chown(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, link or empty directory. */
  remove(path: string): Promise<void>;
  /** Makes one directory; false if it exists. */
  makeDirectory(path: string, mode: number): Promise<boolean>;
  /** Syncs a directory's entries to disk, where the file system supports it. */
  syncDirectory(path: string): Promise<void>;
}

/** The real file system. */
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
      // Only root may change owners; for other users the files stay their own.
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
      // Some file systems do not support it; a disk failure must not pass for that.
      if (["EIO", "ENOSPC", "EDQUOT"].includes(codeOf(error))) throw error;
    }
  },
};

/** The code of a system call's failure, such as `ENOSPC`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
