import { httpRequest } from "../tests/e2e/lab/http_request.ts";
import { ManagedProcess } from "../tests/e2e/lab/managed_process.ts";
import { type Host, onHost } from "../tests/e2e/lab/network.ts";
import { GiveUp, until } from "../tests/e2e/lab/until.ts";
import type { System } from "./system.ts";

/** Kernel ticks per second (`getconf CLK_TCK`, the same on all of Linux). */
const TICKS_PER_SECOND = 100;

/** A running agent of a system on a host. */
export class AgentProcess implements AsyncDisposable {
  readonly #process: ManagedProcess;
  readonly #host: Host;
  readonly #system: System;

  private constructor(process: ManagedProcess, host: Host, system: System) {
    this.#process = process;
    this.#host = host;
    this.#system = system;
  }

  /** Starts the agent; {@link ready} waits for readiness. */
  static start(system: System, host: Host, args: string[], logFile: string): AgentProcess {
    const process = ManagedProcess.start({
      name: `${system.name} on ${host.name}`,
      argv: onHost(host, [system.binary, ...args]),
      logFile,
    });
    return new AgentProcess(process, host, system);
  }

  /** Waits until `/readyz` answers 200. Returns how long that took, ms. */
  async ready(): Promise<number> {
    const { elapsedMs } = await until(async () => {
      if (this.#process.status !== undefined) throw new GiveUp(await this.#process.tail());
      return await this.status("/readyz") === 200;
    }, { what: `${this.#system.name} to be ready`, timeoutMs: 30_000, intervalMs: 5 });
    return elapsedMs;
  }

  /** Status of a path of its registry, requested on its own host. */
  async status(path: string): Promise<number> {
    const url = `http://127.0.0.1:${this.#system.ports.registry}${path}`;
    return (await httpRequest(this.#host, url, { head: true, timeoutMs: 3000 })).status;
  }

  /** CPU time used so far, user and kernel, s. */
  async cpuSeconds(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.#process.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory, MB. */
  async rssMb(): Promise<number> {
    return await this.#process.rssMib() * 1.048_576;
  }

  /** The last lines of its log. */
  tail(): Promise<string> {
    return this.#process.tail(8);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
