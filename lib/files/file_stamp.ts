/** Differs once a file is written or another takes its place: inode, size and time of change. */
export async function fileStamp(path: string): Promise<string> {
  const { ino, size, mtime } = await Deno.stat(path);
  return `${ino}:${size}:${mtime?.getTime()}`;
}
