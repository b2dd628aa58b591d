import { LAB_PREFIX } from "../../e2e/lab/network.ts";

const ROOT = "/sys/fs/cgroup";
/** Controllers that a kubelet needs, as cgroup v2 calls them. */
const CONTROLLERS = ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"];

/** Makes a control group, e.g. `lab/n1`, that a kubelet can take as its root. */
export async function createCgroup(path: string): Promise<void> {
  if (await isUnified()) return await createUnified(path);
  for (const hierarchy of await hierarchies()) {
    await Deno.mkdir(`${hierarchy}/${path}`, { recursive: true });
  }
  // A group of this controller takes no process until it has what its parent has.
  for (const group of ancestors(path)) {
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      const text = await Deno.readTextFile(`${ROOT}/cpuset/${file}`);
      await Deno.writeTextFile(`${ROOT}/cpuset/${group}/${file}`, text);
    }
  }
}

/** Removes a control group and all below it, whose processes have ended. */
export async function removeCgroup(path: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await removeBelow(`${hierarchy}/${path}`);
}

/** Removes the control groups of test processes that are gone. */
export async function removeStaleCgroups(): Promise<void> {
  for (const name of await topCgroups()) {
    const pid = new RegExp(`^${LAB_PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || await exists(`/proc/${pid}`)) continue;
    await removeCgroup(name);
  }
}

/** Names of the control groups at the top of all hierarchies. */
export async function topCgroups(): Promise<string[]> {
  const found = await Promise.all((await hierarchies()).map(directories));
  return [...new Set(found.flat())].sort();
}

async function createUnified(path: string): Promise<void> {
  const available = new Set(
    (await Deno.readTextFile(`${ROOT}/cgroup.controllers`)).trim().split(" "),
  );
  const wanted = CONTROLLERS.filter((name) => available.has(name)).map((name) => `+${name}`);
  await Deno.mkdir(`${ROOT}/${path}`, { recursive: true });
  for (const group of ["", ...ancestors(path)]) {
    await Deno.writeTextFile(`${ROOT}/${group}/cgroup.subtree_control`, wanted.join(" "));
  }
}

/** `a/b/c` gives `a`, `a/b`, `a/b/c`. */
function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

async function isUnified(): Promise<boolean> {
  return await exists(`${ROOT}/cgroup.controllers`);
}

/** Where control groups are mounted: one place in v2, one for each controller in v1. */
async function hierarchies(): Promise<string[]> {
  if (await isUnified()) return [ROOT];
  const names = (await directories(ROOT)).filter((name) => name !== "unified");
  return names.map((name) => `${ROOT}/${name}`);
}

async function removeBelow(directory: string): Promise<void> {
  for (const name of await directories(directory)) await removeBelow(`${directory}/${name}`);
  // Its files are the kernel's and go with it.
  await Deno.remove(directory).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function directories(directory: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(directory));
    return entries.filter((entry) => entry.isDirectory).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
