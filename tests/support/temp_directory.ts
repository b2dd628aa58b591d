import { dirname, join } from "node:path";

/** A directory that is removed with all that is in it. Use with `await using`. */
export async function tempDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "eddy-test-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Runs something with a directory that is removed afterwards. */
export async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  await withFiles({}, run);
}

/** The same with text files, named by their paths in the directory. */
export async function withFiles(
  files: Readonly<Record<string, string>>,
  run: (directory: string) => Promise<void>,
): Promise<void> {
  await using directory = await tempDirectory();
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  await run(directory.path);
}
