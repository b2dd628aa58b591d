import { basename } from "node:path";

/**
 * Reads a text file that is small unless it is the wrong one.
 *
 * @throws {Error} if it has more bytes; what reading throws.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  const { size } = await Deno.stat(path);
  if (size > maxBytes) throw new Error(`${basename(path)} has more than ${maxBytes} bytes`);
  return await Deno.readTextFile(path);
}
