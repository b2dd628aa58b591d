import { fileURLToPath } from "node:url";
import { ManagedProcess } from "../../e2e/lab/managed_process.ts";
import { type Host, onHost } from "../../e2e/lab/network.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";
import type { Plan } from "./flood_program.ts";
import type { HelloPlan } from "./hello_program.ts";

/** Ports of an agent that tells who it is by HTTP and has TLS: all that it listens on. */
export const PORTS = [5001, 5000, 5002, 5443, 9090];

/** Somebody who holds connections to a host. */
export class Flood implements AsyncDisposable {
  readonly #process: ManagedProcess;
  readonly #logFile: string;

  private constructor(process: ManagedProcess, logFile: string) {
    this.#process = process;
    this.#logFile = logFile;
  }

  static start(host: Host, directory: string, plan: Plan): Flood {
    return Flood.#run(host, directory, "flood_program.ts", plan);
  }

  /** Starts one that stops in TLS handshakes. */
  static startHellos(host: Host, directory: string, plan: HelloPlan): Flood {
    return Flood.#run(host, directory, "hello_program.ts", plan);
  }

  static #run(host: Host, directory: string, program: string, plan: Plan | HelloPlan): Flood {
    const logFile = `${directory}/${program}-${host.name}.log`;
    const argv = onHost(host, [...deno(program), JSON.stringify(plan)]);
    const process = ManagedProcess.start({ name: `flood from ${host.name}`, argv, logFile });
    return new Flood(process, logFile);
  }

  /** Most connections that it had at a time, or has opened if it stops in handshakes. */
  async most(): Promise<number> {
    const text = await Deno.readTextFile(this.#logFile).catch(() => "");
    return Math.max(0, ...text.split("\n").map(Number).filter(Number.isFinite));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** At which of the ports of one host somebody answers another. */
export async function heardAt(
  host: Host,
  address: string,
  ports: readonly number[] = PORTS,
): Promise<number[]> {
  const { stdout } = await runCommand(
    onHost(host, [...deno("ear_program.ts"), address, ...ports.map(String)]),
    { timeoutMs: 30_000 },
  );
  const heard: Record<string, boolean> = JSON.parse(stdout);
  return ports.filter((port) => heard[port]);
}

function deno(program: string): string[] {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const flags = ["-A", "--no-check", "--no-config", "--unsafely-ignore-certificate-errors"];
  return [Deno.execPath(), "run", ...flags, path];
}
