import type { CommandName } from "./option.ts";
import { OPTION_ROWS, type OptionRow } from "./options.ts";

/** Every command and what it does, in the order that help shows them. */
export const COMMAND_SUMMARIES: Readonly<Record<CommandName | "completion" | "help", string>> = {
  agent: "Run the node agent until it is stopped.",
  configure: "Write containerd's mirror configuration and exit.",
  cleanup: "Restore containerd's registry configuration as it was before Eddy.",
  "cleanup-wait": "Wait until all nodes of the cluster have cleaned up.",
  doctor: "Diagnose what keeps pulls on this node from going through Eddy.",
  install: "Install Eddy as a systemd service, or upgrade it to this version.",
  uninstall: "Remove the service and restore the node as it was before.",
  keygen: "Print a new key for --cluster-key-file.",
  version: "Print the version.",
  completion: "Print the completion script of a shell: bash, zsh or fish.",
  help: "Print this help, or the help of a command.",
};

/** The help of all commands, or of one with its options. */
export function renderHelp(command?: CommandName): string {
  if (command === undefined) {
    const rows = Object.entries(COMMAND_SUMMARIES)
      .map(([name, summary]) => `  ${name.padEnd(14)}${summary}`);
    return ["Usage: eddy COMMAND [FLAG…]", "", ...rows, "", "eddy help COMMAND lists its flags."]
      .join("\n");
  }
  const rows = OPTION_ROWS.filter((row) => row.commands.includes(command)).flatMap((row) => [
    `  --${row.flag}${row.placeholder === "" ? "" : ` ${row.placeholder}`}`,
    `      ${row.help.replaceAll("`", "")}`,
    `      Default: ${shownDefault(row)}. Environment: ${envName(row) ?? "none"}.`,
  ]);
  return [`Usage: eddy ${command} [FLAG…]`, "", COMMAND_SUMMARIES[command], "", ...rows].join("\n");
}

/** The default as it is shown to users. */
export function shownDefault(row: OptionRow): string {
  return row.defaultText ??
    (row.default === undefined || row.default === "" ? "none" : row.default);
}

/** Commands' own switches would be a trap as variables: these names are too common. */
export const WITHOUT_VARIABLE: ReadonlySet<string> = new Set([
  ...[
    "dryRun",
    "json",
    "addr",
    "probeEndpoint",
    "probeDaemonset",
    "threshold",
    "period",
    "format",
    "timeout",
  ],
]);

/** The environment variable that sets an option; undefined if there is none. */
export function envName(row: OptionRow): string | undefined {
  if (row.key === "config") return "EDDY_CONFIG";
  return WITHOUT_VARIABLE.has(row.key) ? undefined : row.env;
}
