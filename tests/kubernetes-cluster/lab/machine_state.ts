import { LAB_PREFIX } from "../../e2e/lab/network.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";
import { topCgroups } from "./cgroups.ts";

/** What a kubelet would set for the whole machine. */
const SETTINGS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
];
/** Where nodes have directories that a machine may lack. */
const PLACES = ["/etc", "/etc/containerd", "/var/lib", "/var/log"];

/** All of the machine that a cluster of this process could leave changed. */
export async function machineState(): Promise<Record<string, readonly string[]>> {
  const own = `${LAB_PREFIX}-${Deno.pid}`;
  const lines = async (text: Promise<string>) =>
    (await text).split("\n").filter((line) => line.includes(own));
  const { stdout: processes } = await runCommand(["ps", "-eo", "args"]);
  const state: Record<string, readonly string[]> = {
    mounts: await lines(Deno.readTextFile("/proc/self/mountinfo")),
    namespaces: await lines(runCommand(["ip", "netns", "list"]).then(({ stdout }) => stdout)),
    processes: processes.split("\n").filter((line) => line.includes(own)),
    cgroups: (await topCgroups()).filter((name) => name.startsWith(own)),
    files: (await entries("/tmp")).filter((name) => name.startsWith(own)),
  };
  for (const setting of SETTINGS) {
    state[setting] = [await Deno.readTextFile(`/proc/sys/${setting}`)];
  }
  for (const place of PLACES) state[place] = await entries(place);
  return state;
}

async function entries(directory: string): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
  return found.map(({ name }) => name).sort();
}
