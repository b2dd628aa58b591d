import { messageOf } from "../async/thrown.ts";
import { denoFiles } from "../files/durable_files.ts";
import { codeOf, denoOperations } from "../files/file_operations.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import type { DirectoryEntry, FileSystem, FileVersion } from "./file_system.ts";

/** Upper bound for a hosts.toml: it is read into memory as a whole, as in containerd. */
const MAX_FILE_BYTES = 1024 * 1024;

/** The configurator's file operations on the machine's own file system. */
export const denoFileSystem: FileSystem = {
  list: (path) =>
    guard<readonly DirectoryEntry[] | undefined>("list", path, async () => {
      const entries: DirectoryEntry[] = [];
      for await (const entry of Deno.readDir(path)) {
        entries.push({ name: entry.name, kind: kindOf(entry) });
      }
      return entries.sort((a, b) => a.name < b.name ? -1 : 1);
    }, undefined),

  read: (path) =>
    guard("read", path, async (): Promise<FileVersion> => {
      const info = await Deno.lstat(path);
      if (info.isSymlink) return { kind: "link", target: await Deno.readLink(path) };
      const bytes = await readRegular(path, info);
      const owner = info.uid === null || info.gid === null
        ? {}
        : { owner: { uid: info.uid, gid: info.gid } };
      return { kind: "file", bytes, mode: (info.mode ?? 0o644) & 0o7777, ...owner };
    }, undefined),

  readThrough: (path) =>
    guard("read", path, async () => await readRegular(path, await Deno.stat(path)), undefined),

  directory: (path) =>
    guard("inspect", path, async () => {
      const info = await Deno.stat(path);
      return info.isDirectory
        ? { mode: (info.mode ?? 0o755) & 0o7777, inode: info.ino }
        : undefined;
    }, undefined),

  realPath: (path) =>
    guard("resolve", path, async () => {
      try {
        return await Deno.realPath(path);
      } catch (error) {
        if (error instanceof Deno.errors.FilesystemLoop) return undefined;
        throw error;
      }
    }, undefined),

  makeDirectory: (path, mode) =>
    guard("create directory", path, async () => {
      if (!await denoOperations.makeDirectory(path, 0o700)) return;
      await denoOperations.chmod(path, mode);
      await denoOperations.syncDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
    }),

  create: (path, version) => guard("write", path, () => denoFiles.create(path, version)),

  rename: (from, to) => guard("replace", to, () => denoFiles.rename(from, to)),

  remove: (path) =>
    guard("remove", path, async () => {
      try {
        await Deno.remove(path);
      } catch (error) {
        if (codeOf(error) === "ENOTEMPTY") return false;
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      return true;
    }),

  sync: (path) => guard("sync", path, () => denoFiles.sync(path)),
};

async function readRegular(path: string, info: Deno.FileInfo): Promise<Uint8Array<ArrayBuffer>> {
  if (!info.isFile || info.size > MAX_FILE_BYTES) {
    throw new ConfiguratorError({
      action: "read",
      path,
      reason: info.isFile ? `it has ${info.size} bytes` : "it is not a regular file",
      fix: `want a regular file of at most ${MAX_FILE_BYTES} bytes`,
    });
  }
  return await Deno.readFile(path);
}

function kindOf(entry: Deno.DirEntry): DirectoryEntry["kind"] {
  if (entry.isSymlink) return "link";
  if (entry.isDirectory) return "directory";
  return entry.isFile ? "file" : "other";
}

/** Turns a failure of `operation` into a ConfiguratorError, and a missing file into `absent`. */
async function guard<T>(
  action: string,
  path: string,
  run: () => Promise<T>,
  ...absent: [T | undefined] | []
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ConfiguratorError) throw error;
    if (absent.length === 1 && error instanceof Deno.errors.NotFound) return absent[0] as T;
    throw new ConfiguratorError({
      action,
      path,
      reason: messageOf(error),
      fix: fixFor(error),
      cause: error,
    });
  }
}

function fixFor(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return "run Eddy as a user who may read and write containerd's registry configuration directory";
  }
  switch (codeOf(error)) {
    case "EROFS":
      return "mount containerd's registry configuration directory writable";
    case "ENOSPC":
    case "EDQUOT":
      return "free space on its file system";
    case "ENOTDIR":
    case "EEXIST":
      return "a file stands where a directory is needed: name another configuration directory or move the file";
    case "ENOENT":
      return "the directory was changed concurrently: try again";
    default:
      return "check the directory that --containerd-registry-config-path names";
  }
}
