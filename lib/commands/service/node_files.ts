import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { ifPresent } from "../../files/if_present.ts";
import { clearTemporaries, replaceFile } from "../../files/write_durably.ts";

const DIRECTORY_MODE = 0o755;

/** Writes a file atomically. */
export async function writeFile(path: string, text: string): Promise<void> {
  await replaceFile(path, text, { mode: 0o644, directoryMode: DIRECTORY_MODE });
}

/** Copies a program atomically; a process that runs the old file is not affected. */
export async function copyProgram(from: string, to: string): Promise<void> {
  await clearTemporaries(dirname(to));
  using program = await Deno.open(from);
  await replaceFile(to, program.readable, { mode: 0o755, directoryMode: DIRECTORY_MODE });
}

/** The text of a file; undefined if there is none. */
export async function readText(path: string): Promise<string | undefined> {
  return await ifPresent(Deno.readTextFile(path));
}

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  return await ifPresent(Deno.lstat(path)) !== undefined;
}

/** Whether two files have the same content; false if one is missing. */
export async function sameContent(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => ifPresent(Deno.stat(path))));
  if (one === undefined || other === undefined || one.size !== other.size) return false;
  if (one.ino !== null && one.ino === other.ino && one.dev === other.dev) return true;
  return await fingerprint(a) === await fingerprint(b);
}

/** Removes a directory if it is empty. */
export async function removeIfEmpty(path: string): Promise<void> {
  for await (const _entry of Deno.readDir(path)) return;
  await Deno.remove(path);
}

async function fingerprint(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}
