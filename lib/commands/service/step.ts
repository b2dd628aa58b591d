import type { CommandIo } from "../io.ts";

/** One thing that a command does to the node. */
export interface Step {
  /** What it does, in the imperative, e.g. `write /etc/eddy/eddy.env`. */
  readonly says: string;
  readonly run: () => Promise<void>;
}

/** Takes steps in order and prints each; with `dryRun` only says what it would do. */
export async function takeSteps(
  steps: readonly Step[],
  io: Pick<CommandIo, "stdout">,
  dryRun: boolean,
): Promise<void> {
  if (steps.length === 0) io.stdout("nothing to change\n");
  for (const { says, run } of steps) {
    if (!dryRun) await run();
    io.stdout(dryRun ? `would ${says}\n` : `${says}\n`);
  }
}
