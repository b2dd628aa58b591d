import type { ConfiguratorOptions } from "../../lib/configurator/settings.ts";

/** A file of a tree: content and mode, or a link's target. */
export type TreeFile = string | { readonly text: string; readonly mode: number } | {
  readonly link: string;
};

/** Options that a test gives only in part. */
export function optionsFor(
  configPath: string,
  options: Partial<ConfiguratorOptions> = {},
): ConfiguratorOptions {
  return {
    configPath,
    mirroredRegistries: [],
    mirrorTargets: ["http://127.0.0.1:5000"],
    resolveTags: true,
    ...options,
  };
}

/** Makes a directory `certs.d` with these files, by path; a path that ends in `/` is a directory. */
export async function withTree(
  files: Readonly<Record<string, TreeFile>>,
  run: (root: string) => Promise<void>,
): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "eddy-configurator-" });
  try {
    const root = `${parent}/certs.d`;
    await Deno.mkdir(root);
    for (const [path, file] of Object.entries(files)) await put(`${root}/${path}`, file);
    await run(root);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** Writes one file and the directories above it. */
export async function put(path: string, file: TreeFile): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if (path.endsWith("/")) return;
  if (typeof file === "string") return await put(path, { text: file, mode: 0o644 });
  if ("link" in file) return await Deno.symlink(file.link, path);
  await Deno.writeTextFile(path, file.text);
  await Deno.chmod(path, file.mode);
}

/** Everything below a directory: mode and content of files, targets of links, modes of directories. */
export async function readTree(root: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  const walk = async (below: string) => {
    for await (const entry of Deno.readDir(root + below)) {
      const path = `${below}/${entry.name}`;
      const info = await Deno.lstat(root + path);
      const mode = ((info.mode ?? 0) & 0o7777).toString(8);
      if (entry.isSymlink) tree[path.slice(1)] = `-> ${await Deno.readLink(root + path)}`;
      else if (entry.isFile) {
        tree[path.slice(1)] = `${mode} ${await Deno.readTextFile(root + path)}`;
      } else {
        tree[`${path.slice(1)}/`] = mode;
        await walk(path);
      }
    }
  };
  await walk("");
  return Object.fromEntries(Object.entries(tree).sort(([a], [b]) => a < b ? -1 : 1));
}

/** Modification times, ns-exact inode included, of everything below a directory. */
export async function readStamps(root: string): Promise<Record<string, string>> {
  const stamps: Record<string, string> = {};
  for (const path of Object.keys(await readTree(root))) {
    const info = await Deno.lstat(`${root}/${path}`);
    stamps[path] = `${info.ino} ${info.mtime?.toISOString()} ${info.ctime?.toISOString()}`;
  }
  return stamps;
}

/** The text of a file. */
export function text(root: string, path: string): Promise<string> {
  return Deno.readTextFile(`${root}/${path}`);
}
