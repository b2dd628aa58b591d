import { fileURLToPath } from "node:url";
import type { Config } from "../config/options.ts";
import { COMPILED_COMMIT, VERSION } from "../version.ts";
import type { CommandIo } from "./io.ts";
import { sourceCommit } from "./source_commit.ts";

/** Prints the version of Eddy, its commit and its runtime. */
export function versionCommand({ format }: Config, io: CommandIo): number {
  const commit = COMPILED_COMMIT ??
    sourceCommit(fileURLToPath(new URL("../..", import.meta.url))) ?? "unknown";
  const { deno } = Deno.version;
  const { os, arch } = Deno.build;
  io.stdout(
    format === "json"
      ? `${JSON.stringify({ version: VERSION, commit, deno, platform: `${os}/${arch}` })}\n`
      : `eddy ${VERSION} (commit ${commit}, Deno ${deno})\n`,
  );
  return 0;
}
