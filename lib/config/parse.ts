import { parseArgs } from "node:util";
import { WITHOUT_VARIABLE } from "./help.ts";
import { ConfigError } from "./config_error.ts";
import type { CommandName } from "./option.ts";
import { type Config, OPTION_ROWS, type OptionKey, type OptionRow } from "./options.ts";
import { parseYaml } from "./parse_yaml.ts";

/** Where options come from. */
export interface ConfigSources {
  readonly command: CommandName;
  /** Arguments after the command's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads the file that `--config` names. */
  readonly readFile: (path: string) => string;
}

/** A value as it was set, and by what, for error messages. */
interface Setting {
  readonly value: unknown;
  /** E.g. `--registry-addr`. */
  readonly origin: string;
}

type Settings = Map<OptionKey, Setting>;

/**
 * Reads all options: flags before environment variables before the file before defaults.
 *
 * @throws {ConfigError} that names the first option that is unknown or wrong.
 */
export function parseConfig(sources: ConfigSources): Config {
  const flags = flagSettings(sources);
  const env = envSettings(sources);
  const file = flags.get("config") ?? env.get("config");
  const settings: Settings = new Map([
    ...(file === undefined ? [] : fileSettings(String(file.value), sources.readFile)),
    ...env,
    ...flags,
  ]);
  const config: Partial<Record<OptionKey, unknown>> = {};
  for (const row of OPTION_ROWS) {
    const setting = settings.get(row.key) ??
      { value: row.default, origin: `--${row.flag} (default)` };
    config[row.key] = parseSetting(row, setting);
  }
  if (config.tagPolicy === "off") config.resolveTags = false;
  const frozen = Object.freeze(config) as Config;
  checkBootstrap(frozen);
  checkNode(frozen);
  checkPrivateImages(frozen);
  checkClusterKey(frozen);
  return frozen;
}

function checkPrivateImages({ privateImages }: Config): void {
  if (privateImages.includes("share") && privateImages.length > 1) {
    throw new ConfigError(
      `--private-images: got ${quote(privateImages.join(","))}, want share alone or without it`,
    );
  }
}

function checkClusterKey({ dhtClosed, clusterKeyFile }: Config): void {
  if (!dhtClosed || clusterKeyFile !== undefined) return;
  throw new ConfigError(
    "--cluster-key-file: not set, want a file with the cluster's key, for --dht-closed is true",
  );
}

/** Each kind of bootstrap needs its own option. */
function checkBootstrap(config: Config): void {
  const needs = {
    dns: ["dns-bootstrap-domain", config.dnsBootstrapDomain, "a domain name"],
    static: ["static-bootstrap-peers", config.staticBootstrapPeers[0], "at least one peer"],
    http: ["http-bootstrap-url", config.httpBootstrapUrl, "a URL"],
    kubernetes: [
      "kubernetes-bootstrap-service",
      config.kubernetesBootstrapService,
      "the name of a headless service",
    ],
  } as const;
  if (config.bootstrapKind === undefined || config.bootstrapKind === "mdns") return;
  const [flag, value, want] = needs[config.bootstrapKind];
  if (value === undefined) {
    throw new ConfigError(
      `--${flag}: not set, want ${want}, for --bootstrap-kind is ${config.bootstrapKind}`,
    );
  }
}

/** What is done with this node's object needs its name. */
function checkNode(config: Config): void {
  const needs = config.startupTaint !== undefined
    ? "--startup-taint is set"
    : config.nodeTopology
    ? "--node-topology is set"
    : undefined;
  if (needs === undefined || config.nodeName !== undefined) return;
  throw new ConfigError(
    `--node-name: not set, want the name of this node in Kubernetes, for ${needs}`,
  );
}

function parseSetting(row: OptionRow, { value, origin }: Setting): unknown {
  const result = row.type.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const item = issue?.code === "custom" ? issue.params?.["item"] : undefined;
  throw new ConfigError(`${origin}: got ${quote(item ?? value)}, want ${issue?.message}`);
}

function flagSettings({ command, args }: ConfigSources): Settings {
  const rows = OPTION_ROWS.filter((row) => row.commands.includes(command));
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      rows.map((row) => [row.flag, { type: row.placeholder === "" ? "boolean" : "string" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const settings: Settings = new Map();
  let listRow: OptionRow | undefined;
  for (const token of tokens) {
    if (token.kind === "option") {
      const row = rows.find(({ flag }) => flag === token.name);
      if (row === undefined) throw unknownFlag(command, token.rawName, rows);
      addFlag(settings, row, token.value, token.inlineValue === true);
      listRow = row.list ? row : undefined;
    } else if (token.kind === "positional" && listRow !== undefined) {
      addFlag(settings, listRow, token.value, true);
    } else if (token.kind === "positional") {
      throw new ConfigError(`unexpected argument ${quote(token.value)}, see eddy help ${command}`);
    }
  }
  return settings;
}

function addFlag(
  settings: Settings,
  row: OptionRow,
  value: string | undefined,
  inline: boolean,
): void {
  const origin = `--${row.flag}`;
  const missing = value === undefined || (!inline && value.startsWith("--"));
  if (row.placeholder === "") {
    settings.set(row.key, { value: value ?? "true", origin });
  } else if (missing) {
    throw new ConfigError(`${origin}: got no value, want ${row.placeholder}`);
  } else if (row.list) {
    const before = settings.get(row.key)?.value;
    settings.set(row.key, { value: [...(Array.isArray(before) ? before : []), value], origin });
  } else {
    settings.set(row.key, { value, origin });
  }
}

function envSettings({ env }: ConfigSources): Settings {
  const settings: Settings = new Map();
  for (const row of OPTION_ROWS) {
    if (WITHOUT_VARIABLE.has(row.key) || row.key === "config") continue;
    const value = env[row.env];
    if (value !== undefined && (value !== "" || row.list)) {
      settings.set(row.key, { value, origin: `${row.env} (environment)` });
    }
  }
  const config = env["EDDY_CONFIG"];
  if (config) settings.set("config", { value: config, origin: "EDDY_CONFIG (environment)" });
  return settings;
}

function fileSettings(path: string, readFile: (path: string) => string): Settings {
  let document: unknown;
  try {
    document = parseYaml(readFile(path)) ?? {};
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new ConfigError(`--config: got ${quote(path)}, want a readable YAML file (${reason})`);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new ConfigError(`--config: got ${quote(path)}, want a YAML file of option: value pairs`);
  }
  const settings: Settings = new Map();
  for (const [flag, value] of Object.entries(document)) {
    const row = OPTION_ROWS.find((candidate) => candidate.flag === flag);
    if (row === undefined || row.key === "config") throw unknownKey(path, flag);
    settings.set(row.key, { value, origin: `${flag} (${path})` });
  }
  return settings;
}

function unknownFlag(command: string, flag: string, rows: readonly OptionRow[]): ConfigError {
  const near = nearest(flag.replace(/^-+/, ""), rows.map((row) => row.flag));
  const hint = near === undefined ? `see eddy help ${command}` : `did you mean --${near}?`;
  return new ConfigError(`unknown flag ${flag} for eddy ${command}, ${hint}`);
}

function unknownKey(path: string, flag: string): ConfigError {
  const near = nearest(flag, OPTION_ROWS.map((row) => row.flag));
  const hint = near === undefined ? "see eddy help agent" : `did you mean ${near}?`;
  return new ConfigError(`unknown key ${quote(flag)} in ${path}, ${hint}`);
}

/** The name that shares the longest beginning, if it is a fair guess. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const shared = (other: string) => {
    let length = 0;
    while (length < name.length && name[length] === other[length]) length++;
    return length;
  };
  const best = [...names].sort((a, b) => shared(b) - shared(a))[0];
  return best !== undefined && shared(best) >= 4 ? best : undefined;
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
