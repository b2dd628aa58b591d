/** The only child of a process: what `nsenter` and `unshare --fork` run; undefined if there is none. */
export async function onlyChild(pid: number): Promise<number | undefined> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  return children.trim() === "" ? undefined : Number(children.trim().split(" ")[0]);
}
