/** Settings of {@link ManagedProcess.start}. */
export interface ManagedProcessOptions {
  /** For messages. */
  name: string;
  /** Executable and arguments. */
  argv: readonly string[];
  /** File that stdout and stderr are appended to. */
  logFile: string;
  /** Lines that {@link ManagedProcess.tail} leaves out. */
  noise?: RegExp;
}

/** A process in the background whose output goes to a file. */
export class ManagedProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #logFile: string;
  readonly #noise: RegExp;
  #status: Deno.CommandStatus | undefined;
  readonly #ended: Promise<void>;

  private constructor(child: Deno.ChildProcess, options: ManagedProcessOptions) {
    this.#child = child;
    this.#name = options.name;
    this.#logFile = options.logFile;
    this.#noise = options.noise ?? /^$/;
    this.#ended = child.status.then((status) => {
      this.#status = status;
    });
  }

  /** Starts the process. The shell in between only redirects: it is replaced, the pid stays. */
  static start(options: ManagedProcessOptions): ManagedProcess {
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >>"$0" 2>&1', options.logFile, ...options.argv],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    return new ManagedProcess(child, options);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Exit status once it has ended. */
  get status(): Deno.CommandStatus | undefined {
    return this.#status;
  }

  /** Sends a signal, if the process still runs. */
  signal(signal: Deno.Signal): void {
    if (this.#status === undefined) this.#child.kill(signal);
  }

  /** Kills at once, as a crash would, and reaps. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
  }

  /**
   * Ends the process with SIGTERM, after `graceMs` with SIGKILL.
   *
   * @returns how it ended.
   */
  async stop(graceMs = 10_000): Promise<Deno.CommandStatus> {
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(timer);
    return this.#status ?? { success: false, code: -1, signal: null };
  }

  /** Resident memory, MiB. */
  async rssMib(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  /** The last lines of what the process wrote, with its name, for failed tests. */
  async tail(lines = 25): Promise<string> {
    const text = await Deno.readTextFile(this.#logFile).catch(() => "");
    const state = this.#status === undefined ? "running" : `ended, code ${this.#status.code}`;
    const last = text.trimEnd().split("\n")
      .filter((line) => !this.#noise.test(line))
      .slice(-lines)
      .map((line) => `    ${line.slice(0, 400)}`);
    return `--- ${this.#name} (${state})\n${last.join("\n")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGCONT");
    await this.kill();
  }
}
