import { statfs } from "node:fs/promises";

/** Space of a file system, as `df` shows it. */
export interface DiskSpace {
  readonly bytes: number;
  /** Free for programs without privileges, bytes. */
  readonly freeBytes: number;
}

/**
 * The space of the file system that a path is on.
 *
 * @throws {Error} if there is no such path, or it may not be read.
 */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(path);
  return { bytes: bsize * blocks, freeBytes: bsize * bavail };
}
