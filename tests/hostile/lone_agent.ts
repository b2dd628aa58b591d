import { ManagedProcess } from "../e2e/lab/managed_process.ts";
import { GiveUp, until } from "../e2e/lab/until.ts";
import { freePorts } from "../support/free_ports.ts";

/** Settings of {@link LoneAgent}. */
export interface LoneAgentOptions {
  /** The compiled program. */
  readonly binary: string;
  /** For all that it keeps. */
  readonly directory: string;
  /** Flags at every start. */
  readonly flags: readonly string[];
}

/** An agent on loopback, beside an OCI layout, that knows nobody. */
export class LoneAgent {
  readonly binary: string;
  readonly directory: string;
  readonly #flags: readonly string[];
  readonly #logFile: string;
  #process: ManagedProcess | undefined;
  /** Base URL of its registry since the last start. */
  url = "";

  constructor({ binary, directory, flags }: LoneAgentOptions) {
    this.binary = binary;
    this.directory = directory;
    this.#flags = flags;
    this.#logFile = `${directory}/agent.log`;
  }

  get layout(): string {
    return `${this.directory}/layout`;
  }

  /** Directory of the mirror configuration. */
  get certs(): string {
    return `${this.directory}/certs.d`;
  }

  /**
   * Starts it and waits until it is ready.
   *
   * @param options `temporary`: its temporary directory; `before` prepares its data directory.
   */
  async start(
    { flags = [], temporary = this.directory, before }: {
      readonly flags?: readonly string[];
      readonly temporary?: string;
      readonly before?: (data: string) => Promise<void>;
    } = {},
  ): Promise<void> {
    const data = `${this.directory}/data`;
    for (const path of [data, this.certs, `${this.layout}/blobs/sha256`]) {
      await Deno.mkdir(path, { recursive: true });
    }
    await before?.(data);
    const [registry, router, metrics] = await freePorts(3);
    this.url = `http://127.0.0.1:${registry}`;
    const process = ManagedProcess.start({
      name: "agent",
      argv: [
        ...["env", `TMPDIR=${temporary}`, this.binary, "agent"],
        ...["--registry-addr", `127.0.0.1:${registry}`, "--router-addr", `127.0.0.1:${router}`],
        ...["--metrics-addr", `127.0.0.1:${metrics}`, "--store", `oci-layout:${this.layout}`],
        ...["--data-dir", data, "--containerd-registry-config-path", this.certs],
        ...this.#flags,
        ...flags,
      ],
      logFile: this.#logFile,
    });
    this.#process = process;
    await until(async () => {
      if (process.status !== undefined) throw new GiveUp(await process.tail());
      const response = await fetch(`http://127.0.0.1:${metrics}/readyz`).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    }, { what: "the agent to be ready", timeoutMs: 30_000, intervalMs: 50 });
  }

  /** Ends it with SIGTERM and waits. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  async tail(): Promise<string> {
    return await this.#process?.tail() ?? "";
  }
}
