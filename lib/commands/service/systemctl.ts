import { ConfigError } from "../../config/config_error.ts";

/** The service manager of a node. */
export interface Systemctl {
  /**
   * Runs `systemctl` with these arguments.
   *
   * @throws {Error} with its output if it fails.
   */
  run(...args: readonly string[]): Promise<void>;
  /** Whether a query such as `systemctl is-active` succeeds. */
  asks(...args: readonly string[]): Promise<boolean>;
}

/** Its possible paths: root must not trust the PATH of the calling user. */
export const SYSTEMCTL_PATHS = ["/usr/bin/systemctl", "/bin/systemctl"] as const;

/** Timeout of a command, ms; a stop may wait for transfers to end. */
const TIMEOUT_MS = 120_000;
/** Bound of the output in a message: its end. */
const MAX_MESSAGE_LENGTH = 500;

/** The `systemctl` of this machine. */
export const systemctl: Systemctl = {
  async run(...args) {
    const { success, code, said } = await execute(args);
    if (success) return;
    throw new Error(`systemctl ${args.join(" ")}: exit code ${code}: ${said}`);
  },
  async asks(...args) {
    return (await execute(["--quiet", ...args])).success;
  },
};

async function execute(
  args: readonly string[],
): Promise<{ success: boolean; code: number; said: string }> {
  for (const path of SYSTEMCTL_PATHS) {
    try {
      const { success, code, stderr } = await new Deno.Command(path, {
        args: ["--no-ask-password", ...args],
        clearEnv: true,
        stdin: "null",
        stdout: "null",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }).output();
      const said = new TextDecoder().decode(stderr).trim().replaceAll("\n", "; ");
      return { success, code, said: said.slice(-MAX_MESSAGE_LENGTH) };
    } catch (error) {
      const absent = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotCapable;
      if (!absent) throw error;
    }
  }
  throw new ConfigError(`systemctl was not found, want it at ${SYSTEMCTL_PATHS.join(" or ")}`);
}
