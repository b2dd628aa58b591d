import { fileURLToPath } from "node:url";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, LAB_PREFIX, onHost } from "./network.ts";
import { onlyChild } from "./only_child.ts";
import { type CommandResult, runCommand, type RunCommandOptions } from "./run_command.ts";
import { GiveUp, until } from "./until.ts";

const BOOT = fileURLToPath(new URL("machine_boot.sh", import.meta.url));

/**
 * A host of the lab with a systemd of its own as first process, and a root directory that begins as
 * this machine's and keeps every change to itself.
 */
export class Machine implements AsyncDisposable {
  readonly #process: ManagedProcess;
  readonly #pid: number;

  private constructor(process: ManagedProcess, pid: number) {
    this.#process = process;
    this.#pid = pid;
  }

  /** Starts it and waits until its systemd is done. */
  static async boot(host: Host, directory: string): Promise<Machine> {
    await Deno.mkdir(directory, { recursive: true });
    const group = `${LAB_PREFIX}-${Deno.pid}-${host.name}`;
    const process = ManagedProcess.start({
      name: `machine ${host.name}`,
      argv: onHost(host, ["unshare", "--mount", "sh", BOOT, `${directory}/machine`, group]),
      logFile: `${directory}/machine.log`,
    });
    try {
      const { value: pid } = await until(() => firstProcess(process), {
        what: `machine ${host.name} to have a first process`,
      });
      const machine = new Machine(process, pid);
      await until(async () => {
        if (process.status !== undefined) throw new GiveUp(await process.tail());
        const { stdout } = await machine.run(["systemctl", "is-system-running"], {
          allowFailure: true,
        });
        if (stdout.trim() !== "running") throw new Error(stdout);
        return true;
      }, { what: `machine ${host.name} to be up`, timeoutMs: 60_000 });
      return machine;
    } catch (error) {
      const tail = await process.tail();
      await process[Symbol.asyncDispose]();
      throw new Error(`${error}\n${tail}`);
    }
  }

  /** A path of the machine, as it can be used from outside. */
  path(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }

  /** Runs a command on it, as root. */
  run(argv: readonly string[], options: RunCommandOptions = {}): Promise<CommandResult> {
    return runCommand(["nsenter", "--target", `${this.#pid}`, "--all", ...argv], options);
  }

  /** Copies a program of the host to it. */
  async copyProgram(from: string, to: string): Promise<void> {
    await Deno.mkdir(this.path(to.slice(0, to.lastIndexOf("/"))), { recursive: true });
    await Deno.copyFile(from, this.path(to));
    await Deno.chmod(this.path(to), 0o755);
  }

  /** Writes a file on it. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    await Deno.mkdir(this.path(path.slice(0, path.lastIndexOf("/"))), { recursive: true });
    await Deno.writeTextFile(this.path(path), text);
    await Deno.chmod(this.path(path), mode);
  }

  read(path: string): Promise<string> {
    return Deno.readTextFile(this.path(path));
  }

  /**
   * Everything that differs from a fresh machine, by path: kind, mode, owner, and the content of files
   * as a fingerprint, but for what systemd itself writes.
   */
  async changes(): Promise<Record<string, string>> {
    const { stdout } = await this.run([
      "sh",
      "-c",
      "cd /run/machine/changes && find . -printf '%P\\t%y %m %U:%G %l\\n' | sort && " +
      "find . -type f -exec sha256sum {} +",
    ]);
    const tree: Record<string, string> = {};
    for (const line of stdout.split("\n")) {
      const [path = "", what] = line.split("\t");
      if (what !== undefined && !NOISE.test(path)) tree[path] = what;
      const [, hash, file = ""] = /^([0-9a-f]{64}) [ *]\.\/(.*)$/.exec(line) ?? [];
      if (hash !== undefined && tree[file] !== undefined) tree[file] += hash;
    }
    return tree;
  }

  /** The end of what a unit and systemd said about it. */
  async journal(unit: string, lines = 40): Promise<string> {
    const argv = ["journalctl", "--no-pager", "-o", "cat", "-n", `${lines}`, "-u", unit];
    return (await this.run(argv, { allowFailure: true })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(this.#pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    // What is around it then cleans up and ends.
    await this.#process.stop();
  }
}

/** Paths that systemd writes to as it pleases. */
const NOISE = /^$|^var\/(log|tmp|cache|lib\/systemd)(\/|$)|^var\/lib$|^var$/;

/** The machine's first process is the grandchild: one command waits for the other. */
async function firstProcess(process: ManagedProcess): Promise<number | undefined> {
  const child = await onlyChild(process.pid);
  const first = child === undefined ? undefined : await onlyChild(child);
  if (first === undefined) return undefined;
  return await Deno.readTextFile(`/proc/${first}/comm`) === "systemd\n" ? first : undefined;
}
