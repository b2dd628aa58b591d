/** Root folder of the project, with a slash at its end. */
export const ROOT = new URL("../../", import.meta.url);

/** Paths below the project of all TypeScript files of the application: `main.ts`, the demo, and JSX too. */
export async function sourceFiles(): Promise<string[]> {
  const paths: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
      if (entry.isDirectory) await walk(`${folder}${entry.name}/`);
      else if (/\.tsx?$/.test(entry.name)) paths.push(`${folder}${entry.name}`);
    }
  };
  await walk("lib/");
  await walk("demo/");
  return ["main.ts", ...paths.sort()];
}

/** Text of a file of the project. */
export function readSource(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}
