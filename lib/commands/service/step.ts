import type { CommandIo } from "../io.ts";

/** One change of a command to the node. */
export interface Step {
  /** Description in the imperative, e.g. `write /etc/eddy/eddy.env`. */
  readonly says: string;
  readonly run: () => Promise<void>;
}

/** Runs steps in order and prints each; with `dryRun` it only prints them. */
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
