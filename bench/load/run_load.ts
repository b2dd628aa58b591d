import { fileURLToPath } from "node:url";
import { type Host, onHost } from "../../tests/e2e/lab/network.ts";
import { runCommand } from "../../tests/e2e/lab/run_command.ts";
import type { LoadPlan, LoadResult } from "./plan.ts";

const CLIENT = fileURLToPath(new URL("client.ts", import.meta.url));

/** Runs the load client on a host, to its end. */
export async function runLoad(host: Host, plan: LoadPlan): Promise<LoadResult> {
  const { stdout } = await runCommand(onHost(host, loadCommand(plan)), {
    timeoutMs: (plan.durationMs ?? 0) + 120_000,
  });
  return JSON.parse(stdout) as LoadResult;
}

/** The command that runs the load client. */
export function loadCommand(plan: LoadPlan): string[] {
  const run = [Deno.execPath(), "run", "--no-config", "--no-check", "--allow-net", CLIENT];
  return [...run, JSON.stringify(plan)];
}
