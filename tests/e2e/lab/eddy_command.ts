import { fileURLToPath } from "node:url";
import { runCommand } from "./run_command.ts";

/** What `deno task start` grants. */
const PERMISSIONS = ["net", "read", "write", "env", "sys"].map((name) => `--allow-${name}`);

/**
 * The command that runs Eddy: the executable that `EDDY_BIN` names, else the source with the Deno
 * that runs the test.
 *
 * @throws {Error} in CI (`CI=true`), where the executable is what has to be proved, without one.
 */
export function eddyCommand(): string[] {
  const binary = eddyBinary();
  if (binary !== undefined) return [binary];
  if (Deno.env.get("CI") === "true") {
    throw new Error("EDDY_BIN is not set; in CI it must name the compiled program");
  }
  const run = [Deno.execPath(), "run", "--cached-only", "--config", root("deno.json")];
  return [...run, ...PERMISSIONS, root("main.ts")];
}

/**
 * The executable that `EDDY_BIN` names; undefined if it names none.
 *
 * @throws {Deno.errors.NotFound} if it is not there.
 */
export function eddyBinary(): string | undefined {
  const binary = Deno.env.get("EDDY_BIN");
  return binary === undefined || binary === "" ? undefined : Deno.realPathSync(binary);
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
