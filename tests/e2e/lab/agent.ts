import type { Containerd } from "./containerd.ts";
import { eddyCommand } from "./eddy_command.ts";
import { type HttpAnswer, httpRequest, type HttpRequestOptions } from "./http_request.ts";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, onHost } from "./network.ts";
import { type Metrics, readMetrics } from "./read_metrics.ts";
import { type CommandResult, runCommand } from "./run_command.ts";
import { GiveUp, until } from "./until.ts";

/** Settings of {@link Agent}. */
export interface AgentOptions {
  host: Host;
  containerd: Containerd;
  /** For its data and log. */
  directory: string;
  /** Flags besides those that every node of the lab has. */
  flags?: readonly string[];
  /** Environment variables of Eddy, besides this process's own. */
  environment?: Readonly<Record<string, string>>;
  /** What runs Eddy on the host; default: {@link eddyCommand}. */
  command?: readonly string[];
}

/** A line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** `eddy agent` on a host, beside its containerd. */
export class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #logFile: string;
  #process: ManagedProcess | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#logFile = `${options.directory}/agent.log`;
  }

  get host(): Host {
    return this.#options.host;
  }

  get dataDirectory(): string {
    return `${this.#options.directory}/data`;
  }

  /** @throws {Error} if the agent does not run. */
  get process(): ManagedProcess {
    if (this.#process === undefined) {
      throw new Error(`the agent on ${this.#options.host.name} does not run`);
    }
    return this.#process;
  }

  /** Whether the process is there, frozen or not. */
  get running(): boolean {
    return this.#process !== undefined && this.#process.status === undefined;
  }

  /**
   * Starts it, with further flags, and waits until it says that it is ready.
   *
   * @returns how long that took, ms.
   */
  async start(flags: readonly string[] = []): Promise<number> {
    const { host, command = eddyCommand() } = this.#options;
    const process = ManagedProcess.start({
      name: `agent on ${host.name}`,
      argv: onHost(host, [...this.#withVariables(command), "agent", ...this.flags(), ...flags]),
      logFile: this.#logFile,
      noise: /"handler":"(readyz|metrics)"/,
    });
    this.#process = process;
    const { elapsedMs } = await until(async () => {
      if (process.status !== undefined) throw new GiveUp(await process.tail());
      return (await this.request("/readyz", { timeoutMs: 1000 })).status === 200;
    }, { what: `agent on ${host.name} to be ready`, timeoutMs: 30_000, intervalMs: 20 });
    return elapsedMs;
  }

  /** Runs it to its end, for starts that are to be refused; gives up after 15 s. */
  async runToEnd(flags: readonly string[] = []): Promise<CommandResult> {
    const argv = onHost(this.#options.host, [
      ...eddyCommand(),
      ...["agent", ...this.flags(), ...flags],
    ]);
    return await runCommand(argv, { allowFailure: true, timeoutMs: 15_000 });
  }

  /** Ends it with SIGTERM and waits. */
  async stop(): Promise<Deno.CommandStatus | undefined> {
    const status = await this.#process?.stop(35_000);
    this.#process = undefined;
    return status;
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
  }

  /** Makes a request to its registry, from its own host. */
  request(path: string, options: HttpRequestOptions = {}): Promise<HttpAnswer> {
    return httpRequest(this.#options.host, `http://127.0.0.1:5000${path}`, options);
  }

  metrics(): Promise<Metrics> {
    return readMetrics(this.#options.host);
  }

  /** The JSON lines of its log. */
  async log(): Promise<LogLine[]> {
    const text = await Deno.readTextFile(this.#logFile).catch(() => "");
    return text.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
      try {
        return [JSON.parse(line) as LogLine];
      } catch {
        return [];
      }
    });
  }

  /** Runs another of Eddy's commands on the same host, with the paths of the same containerd. */
  async command(name: string, flags: readonly string[] = []): Promise<CommandResult> {
    const { host, containerd } = this.#options;
    const certs = ["--containerd-registry-config-path", containerd.certsPath];
    const command = this.#withVariables(eddyCommand());
    return await runCommand(onHost(host, [...command, name, ...certs, ...flags]), {
      allowFailure: true,
    });
  }

  async tail(): Promise<string> {
    if (this.#process !== undefined) return await this.#process.tail();
    const text = await Deno.readTextFile(this.#logFile).catch(() => "");
    const last = text.trimEnd().split("\n").slice(-10).map((line) => `    ${line.slice(0, 400)}`);
    return `--- agent on ${this.#options.host.name} (stopped)\n${last.join("\n")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  #withVariables(command: readonly string[]): string[] {
    const variables = Object.entries(this.#options.environment ?? {});
    return ["env", ...variables.map(([name, value]) => `${name}=${value}`), ...command];
  }

  /** The flags that it runs with. */
  flags(): string[] {
    const { containerd, directory, flags = [] } = this.#options;
    return [
      ...["--registry-addr", ":5000", "--router-addr", ":5001", "--metrics-addr", ":9090"],
      ...["--containerd-sock", containerd.socket],
      ...["--containerd-content-path", containerd.contentPath],
      ...["--containerd-registry-config-path", containerd.certsPath],
      ...["--data-dir", `${directory}/data`, "--log-level", "debug"],
      ...["--bootstrap-kind", "dns", "--dns-bootstrap-domain", "eddy.test"],
      // Tests pull once, unlike kubelet, and often from a registry that no agent has reached yet.
      ...(flags.includes("--unverified-tags") ? [] : ["--unverified-tags", "serve"]),
      // Tests start single agents although the name stands for others.
      ...(flags.includes("--ready-timeout") ? [] : ["--ready-timeout", "2s"]),
      ...flags,
    ];
  }
}
