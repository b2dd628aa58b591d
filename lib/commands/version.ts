import { fileURLToPath } from "node:url";
import type { Config } from "../config/options.ts";
import { COMPILED_COMMIT, VERSION } from "../version.ts";
import type { CommandIo } from "./io.ts";
import { sourceCommit } from "./source_commit.ts";

/** Prints the version of Eddy, its commit and its runtime. */
export function versionCommand(_config: Config, io: CommandIo): number {
  const commit = COMPILED_COMMIT ??
    sourceCommit(fileURLToPath(new URL("../..", import.meta.url))) ?? "unknown";
  io.stdout(`eddy ${VERSION} (commit ${commit}, Deno ${Deno.version.deno})\n`);
  return 0;
}
