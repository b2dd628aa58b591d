import { ALL, type CommandName } from "./option.ts";
import { OPTION_ROWS } from "./options.ts";

/** Every command and what it does, in the order that help shows them. */
export const COMMAND_SUMMARIES: Readonly<Record<CommandName | "help", string>> = {
  agent: "Run the node agent until it is told to stop.",
  configure: "Write containerd's mirror configuration and exit.",
  cleanup: "Restore containerd's registry configuration as it was before Eddy.",
  "cleanup-wait": "Wait until all nodes of a cluster have cleaned up.",
  doctor: "Look at this node and say what keeps pulls from going through Eddy.",
  install: "Make Eddy a systemd service of this node, or bring it to this version.",
  uninstall: "Take the service away and leave the node as it was before.",
  keygen: "Print a new key for --cluster-key-file.",
  version: "Print the version.",
  help: "Print this help, or that of a command.",
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
    `      Default: ${shownDefault(row)}. Environment: ${envName(row)}.`,
  ]);
  return [`Usage: eddy ${command} [FLAG…]`, "", COMMAND_SUMMARIES[command], "", ...rows].join("\n");
}

/** The options as the table of the README, in Markdown. */
export function renderOptionTable(): string {
  const rows = OPTION_ROWS.map((row) => {
    const flag = `\`--${row.flag}${row.placeholder === "" ? "" : ` ${row.placeholder}`}\``;
    const commands = row.commands.length === ALL.length ? "all" : row.commands.join(", ");
    const value = row.defaultText ?? (row.default ? `\`${row.default}\`` : "none");
    const env = envName(row) === "none" ? "" : `\`${envName(row)}\``;
    return `| ${flag} | ${env} | ${value} | ${commands} | ${row.help} |`;
  });
  return [
    "| Flag | Environment | Default | Commands | What it does |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

type Row = (typeof OPTION_ROWS)[number];

function shownDefault(row: Row): string {
  return row.defaultText ??
    (row.default === undefined || row.default === "" ? "none" : row.default);
}

/** Commands' own switches would be a trap as variables: these names are too common. */
export const WITHOUT_VARIABLE: ReadonlySet<string> = new Set([
  ...["dryRun", "json", "keep", "addr", "probeEndpoint", "threshold", "period"],
]);

function envName(row: Row): string {
  if (row.key === "config") return "EDDY_CONFIG";
  return WITHOUT_VARIABLE.has(row.key) ? "none" : row.env;
}
