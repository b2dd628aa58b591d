import type { Config } from "../config/options.ts";
import { VERSION } from "../version.ts";
import type { CommandIo } from "./io.ts";

/** Prints the version of Eddy and of the runtime it was made with. */
export function versionCommand(_config: Config, io: CommandIo): number {
  io.stdout(`eddy ${VERSION} (Deno ${Deno.version.deno})\n`);
  return 0;
}
