import { ACCESS_OPTIONS } from "../../lib/config/access_options.ts";
import { AGENT_OPTIONS } from "../../lib/config/agent_options.ts";
import { BOOTSTRAP_OPTIONS } from "../../lib/config/bootstrap_options.ts";
import { CLEANUP_OPTIONS } from "../../lib/config/cleanup_options.ts";
import { CLUSTER_OPTIONS } from "../../lib/config/cluster_options.ts";
import { COMMAND_OPTIONS } from "../../lib/config/command_options.ts";
import { LAYER_OPTIONS } from "../../lib/config/layer_options.ts";
import { HOSTS_OPTIONS, STORE_OPTIONS } from "../../lib/config/containerd_options.ts";
import { COMMAND_SUMMARIES, envName, shownDefault } from "../../lib/config/help.ts";
import { KUBERNETES_OPTIONS } from "../../lib/config/kubernetes_options.ts";
import { AGENT, ALL } from "../../lib/config/option.ts";
import { OPTION_ROWS, type OptionRow } from "../../lib/config/options.ts";
import { ROUTING_OPTIONS } from "../../lib/config/routing_options.ts";
import { TAG_OPTIONS } from "../../lib/config/tag_options.ts";
import { TRANSFER_OPTIONS } from "../../lib/config/transfer_options.ts";

interface Group {
  readonly title: string;
  /** What to read about them. */
  readonly more?: string;
  readonly options: object;
}

const GROUPS: readonly Group[] = [
  {
    title: "Agent",
    more: "The files below `--data-dir`: [Operations](operations.md#data-directory).",
    options: AGENT_OPTIONS,
  },
  {
    title: "Image store",
    more: "Without containerd: [OCI layout](install.md#container).",
    options: STORE_OPTIONS,
  },
  {
    title: "Layers",
    more:
      "What is kept, and until when: [Operations](operations.md#layers-that-containerd-discards).",
    options: LAYER_OPTIONS,
  },
  {
    title: "Mirror configuration",
    more: "What is written, and how it is restored: [Install](install.md#registry-hosts).",
    options: HOSTS_OPTIONS,
  },
  {
    title: "Tags and filters",
    more: "Reused tags and `latest`: " +
      "[Operations](operations.md#reused-tags-latest-and-imagepullpolicy-always).",
    options: TAG_OPTIONS,
  },
  {
    title: "Access",
    more: "Private images: [Operations](operations.md#private-images).",
    options: ACCESS_OPTIONS,
  },
  {
    title: "Cluster key and TLS",
    more: "What they protect: [Security](security.md#closed-networks).",
    options: CLUSTER_OPTIONS,
  },
  {
    title: "Bootstrap",
    more: "Which kind to choose: [Bootstrap](bootstrap.md).",
    options: BOOTSTRAP_OPTIONS,
  },
  {
    title: "Routing",
    more: "How nodes talk to each other: [Peer protocol](peer-protocol.md).",
    options: ROUTING_OPTIONS,
  },
  {
    title: "Transfer",
    more: "Rollouts: [Operations](operations.md#rollouts).",
    options: TRANSFER_OPTIONS,
  },
  {
    title: "Kubernetes",
    more: "Rights that these need: [Install](install.md#rbac).",
    options: KUBERNETES_OPTIONS,
  },
  {
    title: "Cleanup",
    more: "The chart sets these: [Install](install.md#uninstall-from-kubernetes).",
    options: CLEANUP_OPTIONS,
  },
  { title: "Single commands", options: COMMAND_OPTIONS },
];

const HEAD = `# Configuration

<!-- Generated from lib/config by \`deno task docs\`; do not edit. -->

Every option is a flag, an environment variable and a key of the YAML file that \`--config\` names. The
key is the flag without the leading dashes. Flags take precedence over environment variables, and
these over the file. Names are Spegel's where Spegel has the option. Options belong to \`eddy agent\` and \`eddy doctor\` unless other
commands are named.

A list (\`HOST…\`) is separated by blanks or commas, or the flag is repeated. A switch takes no value,
or \`=false\`. Durations are written as \`20ms\`, \`2s\` or \`1m30s\`, rates as \`500Mbps\`, sizes as
\`32MiB\`. A value that does not fit is one line on standard error that names the option, the value and
the remedy.

\`\`\`yaml
# eddy agent --config eddy.yaml
bootstrap-kind: dns
dns-bootstrap-domain: eddy.example.internal
mirrored-registries: [docker.io, ghcr.io]
\`\`\`
`;

/** The page of all options, in groups. */
export function renderConfiguration(): string {
  return [
    HEAD,
    ...["## Commands", ""],
    ...Object.entries(COMMAND_SUMMARIES).map(([name, summary]) => `- \`eddy ${name}\`: ${summary}`),
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong configuration or a node that does not fit it.",
    ...GROUPS.map(renderGroup),
  ].join("\n");
}

function renderGroup({ title, more, options }: Group): string {
  const rows = OPTION_ROWS.filter(({ key }) => key in options);
  const head = more === undefined ? "" : `\n${more}\n`;
  return `\n## ${title}\n${head}${rows.map(renderRow).join("")}`;
}

function renderRow(row: OptionRow): string {
  const value = row.defaultText ?? (row.default ? `\`${row.default}\`` : shownDefault(row));
  const env = envName(row);
  const facts = [
    `Default: ${value}.`,
    ...(env === undefined ? [] : [`Environment: \`${env}\`.`]),
    ...(row.commands === AGENT ? [] : [`Commands: ${commandsOf(row)}.`]),
  ];
  const placeholder = row.placeholder === "" ? "" : ` ${row.placeholder}`;
  return `\n### \`--${row.flag}${placeholder}\`\n\n${row.help}\n\n${facts.join(" ")}\n`;
}

function commandsOf({ commands }: OptionRow): string {
  return commands.length === ALL.length ? "all" : commands.join(", ");
}
