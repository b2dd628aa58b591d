import { COMMAND_SUMMARIES, envName, shownDefault } from "../../lib/config/help.ts";
import { ALL } from "../../lib/config/option.ts";
import { OPTION_ROWS, type OptionRow } from "../../lib/config/options.ts";
import { VERSION } from "../../lib/version.ts";

/** The manual page eddy(8), as roff with the macros of man(7). */
export function renderManPage(): string {
  return [
    `.\\" Generated from lib/config by \`deno task docs\`; do not edit.`,
    `.TH EDDY 8 "" "eddy ${VERSION}" "System Administration"`,
    ".SH NAME",
    "eddy \\- lets the nodes of a cluster pull container images from each other",
    ".SH SYNOPSIS",
    ".B eddy",
    ".I COMMAND",
    "[\\fIFLAG\\fR...]",
    ".SH COMMANDS",
    ...Object.entries(COMMAND_SUMMARIES).flatMap(([name, summary]) => [
      ".TP",
      `.B ${escape(name)}`,
      text(summary),
    ]),
    ".SH OPTIONS",
    text(
      "Every option is a flag, an environment variable and a key of the YAML file that --config " +
        "names. Flags take precedence over environment variables, and these over the file.",
    ),
    ...OPTION_ROWS.flatMap(renderRow),
    ".SH FILES",
    ...renderFile("/etc/eddy/eddy.env", "Settings of the systemd service, as variables."),
    ...renderFile("/var/lib/eddy", "The data directory of the service and of the chart."),
    ".SH EXIT STATUS",
    text("0 done, 1 failed, 2 wrong configuration or a node that does not fit it."),
    ".SH SEE ALSO",
    ".BR containerd (8),",
    ".BR systemctl (1)",
    "",
  ].join("\n");
}

function renderRow(row: OptionRow): string[] {
  const env = envName(row);
  const commands = row.commands.length === ALL.length ? "all" : row.commands.join(", ");
  const facts = [
    `Default: ${shownDefault(row)}.`,
    ...(env === undefined ? [] : [`Environment: ${env}.`]),
    `Commands: ${commands}.`,
  ];
  const value = row.placeholder === "" ? "" : ` \\fI${escape(row.placeholder)}\\fR`;
  return [
    ".TP",
    `\\fB${escape(`--${row.flag}`)}\\fR${value}`,
    text(row.help.replaceAll("`", "")),
    ".br",
    text(facts.join(" ")),
  ];
}

function renderFile(path: string, about: string): string[] {
  return [".TP", `.I ${escape(path)}`, text(about)];
}

/** A line of text: one that begins with a dot or a quote would be a request. */
function text(line: string): string {
  return escape(line).replace(/^(?=[.'])/, "\\&");
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...");
}
