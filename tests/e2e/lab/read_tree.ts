/** Reads a directory: each file's content by its path below, each empty directory by its path with `/`. */
export async function readTree(directory: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  const walk = async (below: string): Promise<void> => {
    let empty = true;
    for await (const { name, isDirectory } of Deno.readDir(`${directory}/${below}`)) {
      empty = false;
      if (isDirectory) await walk(`${below}${name}/`);
      else tree[`${below}${name}`] = await Deno.readTextFile(`${directory}/${below}${name}`);
    }
    if (empty && below !== "") tree[below] = "";
  };
  await walk("");
  return tree;
}
