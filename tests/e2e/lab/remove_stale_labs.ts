import { LAB_PREFIX, removeNamespace } from "./network.ts";

/** Removes what labs of test processes that are gone (killed, crashed) left on the machine. */
export async function removeStaleLabs(temporary: string): Promise<void> {
  for await (const name of names("/run/netns")) await removeNamespace(name);
  for await (const name of names("/etc/netns")) await removeNamespace(name);
  for await (const name of names(temporary)) {
    await Deno.remove(`${temporary}/${name}`, { recursive: true }).catch(() => {});
  }
}

async function* names(directory: string): AsyncGenerator<string> {
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) found.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const name of found) {
    const pid = new RegExp(`^${LAB_PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !(await exists(`/proc/${pid}`))) yield name;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
