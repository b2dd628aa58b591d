import { fileURLToPath } from "node:url";
import { runCommand } from "./run_command.ts";

/** What `deno task start` grants. */
const PERMISSIONS = ["net", "read", "write", "env", "sys"].map((name) => `--allow-${name}`);

/**
 * The command that runs Eddy: the executable that `EDDY_BIN` names, else the source with the Deno
 * that runs the test.
 */
export function eddyCommand(): string[] {
  const binary = Deno.env.get("EDDY_BIN");
  if (binary !== undefined && binary !== "") return [Deno.realPathSync(binary)];
  const run = [Deno.execPath(), "run", "--cached-only", "--config", root("deno.json")];
  return [...run, ...PERMISSIONS, root("main.ts")];
}

/** Fetches what the source imports: hosts of the lab cannot reach a registry of packages. */
export async function cacheEddy(): Promise<void> {
  if (eddyCommand().length === 1) return;
  await runCommand([Deno.execPath(), "cache", "--config", root("deno.json"), root("main.ts")], {
    timeoutMs: 180_000,
  });
}

function root(file: string): string {
  return fileURLToPath(new URL(`../../../${file}`, import.meta.url));
}
