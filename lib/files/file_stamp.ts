/** Changes once a file is written or replaced: inode, size and time of change. */
export async function fileStamp(path: string): Promise<string> {
  const { ino, size, mtime } = await Deno.stat(path);
  return `${ino}:${size}:${mtime?.getTime()}`;
}
