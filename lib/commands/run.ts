import { ConfigError } from "../config/config_error.ts";
import { COMMAND_SUMMARIES, renderHelp } from "../config/help.ts";
import type { CommandName } from "../config/option.ts";
import type { Config } from "../config/options.ts";
import { parseConfig } from "../config/parse.ts";
import { ConfiguratorError } from "../configurator/configurator_error.ts";
import { RouterListenError } from "../router/libp2p/router_listen_error.ts";
import { agentCommand } from "./agent.ts";
import { cleanupCommand } from "./cleanup.ts";
import { cleanupWaitCommand } from "./cleanup_wait.ts";
import { configureCommand } from "./configure.ts";
import { agentEnvironment } from "./doctor/agent_environment.ts";
import { doctorCommand } from "./doctor/doctor_command.ts";
import { ListenError } from "../agent/http_server.ts";
import type { CommandIo } from "./io.ts";
import { keygenCommand } from "./keygen.ts";
import { installCommand } from "./service/install.ts";
import { uninstallCommand } from "./service/uninstall.ts";
import { versionCommand } from "./version.ts";

type Command = (config: Config, io: CommandIo) => Promise<number> | number;

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  agent: agentCommand,
  configure: configureCommand,
  cleanup: cleanupCommand,
  "cleanup-wait": cleanupWaitCommand,
  doctor: doctorCommand,
  install: installCommand,
  uninstall: uninstallCommand,
  keygen: keygenCommand,
  version: versionCommand,
};

/** Spegel's names of the same commands. */
const ALIASES: Readonly<Record<string, string>> = {
  registry: "agent",
  configuration: "configure",
  "--version": "version",
  "--help": "help",
  "-h": "help",
};

/**
 * Runs the command that the arguments name.
 *
 * @returns the exit code: 0 done, 1 failed, 2 bad configuration.
 */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const [first = "help", ...rest] = args;
  const name = ALIASES[first] ?? first;
  try {
    if (name === "help") return help(rest[0], io);
    if (!isCommand(name)) {
      throw new ConfigError(
        `unknown command ${JSON.stringify(first)}, want one of ` +
          Object.keys(COMMAND_SUMMARIES).join(", "),
      );
    }
    if (rest.includes("--help") || rest.includes("-h")) return help(name, io);
    const config = parseConfig({
      command: name,
      args: rest,
      env: name === "doctor"
        ? await agentEnvironment({ args: rest, env: io.env, readFile: readText }, io)
        : io.env,
      readFile: readText,
    });
    return await COMMANDS[name](config, io);
  } catch (error) {
    if (io.signal.aborted) return 0;
    io.stderr(`eddy: ${error instanceof Error ? error.message : error}\n`);
    const isConfiguration = error instanceof ConfigError || error instanceof ConfiguratorError ||
      error instanceof ListenError || error instanceof RouterListenError;
    return isConfiguration ? 2 : 1;
  }
}

function help(topic: string | undefined, io: CommandIo): number {
  const name = ALIASES[topic ?? ""] ?? topic;
  io.stdout(`${renderHelp(name !== undefined && isCommand(name) ? name : undefined)}\n`);
  return 0;
}

/** Configuration is read once, before anything else runs. */
function readText(path: string): string {
  return Deno.readTextFileSync(path);
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
