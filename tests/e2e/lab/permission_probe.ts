/**
 * Tries what Eddy may not do, and a little that it may; prints the name of each attempt's error, or
 * `done`. Run with the permissions of the compiled program.
 */
import { execFileSync } from "node:child_process";

const attempts: Record<string, () => unknown> = {
  "run a shell": () => new Deno.Command("sh", { args: ["-c", "true"] }).outputSync(),
  "run a shell by its path": () => new Deno.Command("/bin/sh", { args: ["-c"] }).outputSync(),
  "run a program through Node's API": () => execFileSync("/bin/true"),
  "run itself": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  "load a library": () => Deno.dlopen("libc.so.6", {}),
  "read the passwords of accounts": () => Deno.readTextFileSync("/etc/shadow"),
  "read keys of the cluster": () => Deno.readTextFileSync("/etc/kubernetes/pki/ca.key"),
  "change a program": () => Deno.writeTextFileSync("/usr/bin/eddy-probe", ""),
  "change accounts": () => Deno.openSync("/etc/passwd", { append: true }),
  "change the kernel's settings": () => Deno.writeTextFileSync("/proc/sys/kernel/eddy-probe", ""),
  "write to a device": () => Deno.openSync("/dev/eddy-probe", { write: true, create: true }),
  "read a variable that is not its own": () => Deno.env.get("AWS_SECRET_ACCESS_KEY"),
  "list all variables": () => Deno.env.toObject(),
  "ask for memory of the system": () => Deno.systemMemoryInfo(),
  "import code from elsewhere": () => import(["https:", "", "deno.land", "eddy.ts"].join("/")),
  "run a systemctl that stands first in the path": () => {
    const directory = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${directory}/systemctl`, "#!/bin/sh\n", { mode: 0o755 });
    try {
      new Deno.Command("systemctl", { env: { PATH: directory } }).outputSync();
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
  "allowed: run systemctl": () =>
    new Deno.Command("/usr/bin/systemctl", { args: ["--version"], clearEnv: true }).outputSync(),
  "allowed: read a variable of an option": () => Deno.env.get("LOG_LEVEL"),
  "allowed: know the name of the host": () => Deno.hostname(),
};

const outcomes: Record<string, string> = {};
for (const [what, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    outcomes[what] = "done";
  } catch (error) {
    outcomes[what] = errorName(error);
  }
}
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(outcomes)));

/** Dynamic imports are refused with a TypeError that only says so in its message. */
function errorName(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return /Requires import access/.test(error.message) ? "NotCapable" : error.name;
}
