/** Settings of {@link runCommand}. */
export interface RunCommandOptions {
  /** How long the command may take, ms; it is killed after that. Default 30,000. */
  timeoutMs?: number;
  /** Accepts any exit code; without it a code other than 0 throws. Default false. */
  allowFailure?: boolean;
  /** Working directory. */
  cwd?: string;
}

/** What a command did. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end.
 *
 * @throws {Error} with the command, its exit code and what it wrote to stderr, if it fails.
 */
export async function runCommand(
  argv: readonly string[],
  options: RunCommandOptions = {},
): Promise<CommandResult> {
  const { timeoutMs = 30_000, allowFailure = false, cwd } = options;
  const [command, ...args] = argv;
  if (command === undefined) throw new TypeError("cannot run an empty command");
  const child = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const output = await child.output().finally(() => clearTimeout(timer));
  const decoder = new TextDecoder();
  const result = {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
  if (expired) throw new Error(`${argv.join(" ")}: not done within ${timeoutMs} ms`);
  if (result.code !== 0 && !allowFailure) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
    throw new Error(`${argv.join(" ")}: exit code ${result.code}: ${said}`);
  }
  return result;
}
