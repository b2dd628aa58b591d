import { basename } from "node:path";

/**
 * Reads a text file of bounded size.
 *
 * @throws {Error} if it is larger; what reading throws.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  const { size } = await Deno.stat(path);
  if (size > maxBytes) throw new Error(`${basename(path)} has more than ${maxBytes} bytes`);
  return await Deno.readTextFile(path);
}
