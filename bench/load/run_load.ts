import { fileURLToPath } from "node:url";
import { type Host, onHost } from "../../tests/e2e/lab/network.ts";
import { runCommand } from "../../tests/e2e/lab/run_command.ts";
import type { LoadPlan, LoadResult } from "./plan.ts";

const CLIENT = fileURLToPath(new URL("client.ts", import.meta.url));

/** Runs the load client on a host to completion. */
export async function runLoad(host: Host, plan: LoadPlan): Promise<LoadResult> {
  const { stdout } = await runCommand(onHost(host, loadCommand(plan)), {
    timeoutMs: (plan.durationMs ?? 0) + 120_000,
  });
  return JSON.parse(stdout) as LoadResult;
}

/** Attempts at a load in which every request must succeed. */
const TRIES = 8;
/** Pause before each attempt but the first, ms. */
const PAUSE_MS = 1000;

/**
 * Runs a load until all of its requests succeed: on a busy machine a peer may not be found in time.
 *
 * @param failed called with the statuses of a failed attempt.
 * @throws {Error} if all eight attempts fail.
 */
export async function runCleanLoad(
  host: Host,
  plan: LoadPlan,
  failed: (statuses: string) => Promise<void>,
): Promise<LoadResult> {
  for (let count = 0; count < TRIES; count++) {
    const result = await runLoad(host, plan);
    if (result.errors === 0) return result;
    await new Promise((done) => setTimeout(done, PAUSE_MS));
    await failed(JSON.stringify(result.statuses));
  }
  throw new Error(`requests fail again and again: ${JSON.stringify(plan.jobs.slice(0, 3))}`);
}

/** The command that runs the load client. */
export function loadCommand(plan: LoadPlan): string[] {
  const run = [Deno.execPath(), "run", "--no-config", "--no-check", "--allow-net", CLIENT];
  return [...run, JSON.stringify(plan)];
}
