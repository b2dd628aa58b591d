import type { CommandName } from "../../lib/config/option.ts";
import type { Config } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse.ts";

/** The configuration that flags make, with no variables of the environment and no file. */
export function configOf(command: CommandName, args: readonly string[] = []): Config {
  return parseConfig({ command, args, env: {}, readFile: () => "" });
}
