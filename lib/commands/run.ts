import { renderCompletion } from "../config/completion.ts";
import { ConfigError } from "../config/config_error.ts";
import { COMMAND_SUMMARIES, renderHelp } from "../config/help.ts";
import type { CommandName } from "../config/option.ts";
import type { Config } from "../config/options.ts";
import { parseConfig } from "../config/parse.ts";
import { ConfiguratorError } from "../configurator/configurator_error.ts";
import { RouterListenError } from "../router/libp2p/router_listen_error.ts";
import { ListenError } from "../agent/http_server.ts";
import { messageOf } from "../async/thrown.ts";
import type { CommandIo } from "./io.ts";

type Command = (config: Config, io: CommandIo) => Promise<number> | number;

/** Loaded on demand: each command uses only a part of the program. */
const COMMANDS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  agent: async () => (await import("./agent.ts")).agentCommand,
  configure: async () => (await import("./configure.ts")).configureCommand,
  cleanup: async () => (await import("./cleanup.ts")).cleanupCommand,
  "cleanup-wait": async () => (await import("./cleanup_wait.ts")).cleanupWaitCommand,
  doctor: async () => (await import("./doctor/doctor_command.ts")).doctorCommand,
  install: async () => (await import("./service/install.ts")).installCommand,
  uninstall: async () => (await import("./service/uninstall.ts")).uninstallCommand,
  keygen: async () => (await import("./keygen.ts")).keygenCommand,
  version: async () => (await import("./version.ts")).versionCommand,
};

/** Spegel's names of the commands, and the usual flags. */
const ALIASES: Readonly<Record<string, string>> = {
  registry: "agent",
  configuration: "configure",
  "--version": "version",
  "--help": "help",
  "-h": "help",
};

/**
 * Runs the command named by the arguments.
 *
 * @returns the exit code: 0 success, 1 failure, 2 invalid configuration.
 */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const [first = "help", ...rest] = args;
  const name = ALIASES[first] ?? first;
  try {
    if (name === "help") return help(rest[0], io);
    if (name === "completion") return completion(rest[0], io);
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
      env: name === "doctor" ? await environmentOfAgent(rest, io) : io.env,
      readFile: readText,
    });
    const command = await COMMANDS[name]();
    return await command(config, io);
  } catch (error) {
    if (io.signal.aborted) return 0;
    io.stderr(`eddy: ${messageOf(error)}\n`);
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

function completion(shell: string | undefined, io: CommandIo): number {
  io.stdout(renderCompletion(shell));
  return 0;
}

async function environmentOfAgent(
  args: readonly string[],
  io: CommandIo,
): Promise<CommandIo["env"]> {
  const { agentEnvironment } = await import("./doctor/agent_environment.ts");
  return await agentEnvironment({ args, env: io.env, readFile: readText }, io);
}

/** Configuration is read once, before anything else runs. */
function readText(path: string): string {
  return Deno.readTextFileSync(path);
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
