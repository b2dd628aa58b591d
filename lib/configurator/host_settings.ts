import type { TomlTable, TomlValue } from "smol-toml";
import { type HostsDocument, isTable } from "./hosts_document.ts";

/** The settings of one server in a hosts.toml. */
export interface HostSettings {
  /** Whether it is asked for content by digest. */
  readonly pulls: boolean;
  /** Whether it is asked for tags. */
  readonly resolves: boolean;
  /** Files with CA certificates, absolute. */
  readonly ca: readonly string[];
  /** Files with a client certificate and with its key, absolute; both may be one file. */
  readonly client: readonly (readonly [certificate: string, key: string])[];
  readonly skipVerify: boolean;
  /** It has TLS settings, be they empty: an `http:` URL is then tried by HTTPS first. */
  readonly hasTls: boolean;
  /** Values of each header, all of which are sent; may be secret. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** The URL's path is the API's base, without `/v2`. */
  readonly overridePath: boolean;
  /** Dial timeout, ms; undefined: none. */
  readonly dialTimeoutMs: number | undefined;
  /** k3s' and RKE2's rules for repository names: expressions in Go's syntax, and replacements. */
  readonly rewrites: readonly (readonly [pattern: string, replacement: string])[];
}

const CAPABILITIES = new Set(["pull", "resolve", "push", "referrers"]);
/** Units of a duration in Go's syntax (time.ParseDuration), ms. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Parses the settings of one server as containerd does.
 *
 * Source: containerd core/remotes/docker/config/hosts.go (parseHostConfig); `rewrite` is an
 * addition of k3s' containerd.
 *
 * @param folder the folder of the file, to which paths are relative.
 * @throws {Error} for settings that containerd rejects; it then ignores the whole file.
 */
export function readHostSettings(table: TomlTable, folder: string): HostSettings {
  table = withoutCase(table);
  const path = (name: string) => name.startsWith("/") ? name : `${folder}/${name}`;
  const capabilities = strings(table, "capabilities").map((name) => name.toLowerCase());
  const odd = capabilities.find((name) => !CAPABILITIES.has(name));
  if (odd !== undefined) throw new Error(`unknown capability ${odd}`);
  const may = (name: string) => capabilities.length === 0 || capabilities.includes(name);
  const client = clientPairs(table["client"]);
  const isSet = (key: string) => table[key] !== undefined;
  return {
    pulls: may("pull"),
    resolves: may("pull") && may("resolve"),
    ca: strings(table, "ca", { alone: true }).map(path),
    client: client.map(([certificate, key]) => [path(certificate), path(key)]),
    skipVerify: flag(table, "skip_verify"),
    hasTls: isSet("ca") || isSet("skip_verify") || client.length > 0,
    headers: headersOf(table["header"]),
    overridePath: flag(table, "override_path"),
    dialTimeoutMs: dialTimeoutOf(table["dial_timeout"]),
    rewrites: rewritesOf(table["rewrite"]),
  };
}

/**
 * Checks that containerd uses a file.
 *
 * @throws {Error} for what containerd refuses.
 */
export function requireUsable({ top, tables, hosts }: HostsDocument, folder: string): void {
  for (const [, table] of hosts) readHostSettings(table as TomlTable, folder);
  readHostSettings(Object.fromEntries([...top, ...tables]), folder);
}

/** containerd 2.x ignores the case of keys; of several spellings the last one applies. */
export function withoutCase(table: TomlTable): TomlTable {
  return Object.fromEntries(
    Object.entries(table).map(([key, value]) => [key.toLowerCase(), value]),
  );
}

function strings(table: TomlTable, key: string, { alone = false } = {}): string[] {
  const value = table[key];
  if (value === undefined) return [];
  if (alone && typeof value === "string") return [value];
  return stringList(value) ?? fail(key);
}

function stringList(value: TomlValue): string[] | undefined {
  const isList = Array.isArray(value) && value.every((each) => typeof each === "string");
  return isList ? value.map(String) : undefined;
}

function flag(table: TomlTable, key: string): boolean {
  const value = table[key] ?? false;
  return typeof value === "boolean" ? value : fail(key);
}

/** A file, files, or pairs of files. */
function clientPairs(value: TomlValue | undefined): (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value === "string") return [[value, value]];
  if (!Array.isArray(value)) return fail("client");
  return value.map((each) => {
    if (typeof each === "string") return [each, each];
    const [certificate, key, ...rest] = stringList(each) ?? [];
    if (certificate === undefined || key === undefined || rest.length > 0) return fail("client");
    return [certificate, key];
  });
}

function headersOf(value: TomlValue | undefined): Record<string, string[]> {
  if (value === undefined) return {};
  if (!isTable(value)) return fail("header");
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      typeof each === "string" ? [each] : stringList(each) ?? fail(`header ${name}`),
    ]),
  );
}

/** Unlike containerd, refuses a negative time, in which nothing can be dialled. */
function dialTimeoutOf(value: TomlValue | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") return fail("dial_timeout");
  const unsigned = value.replace(/^\+/, "");
  const parts = [...unsigned.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  const isWhole = parts.map(([part]) => part).join("") === unsigned;
  if (unsigned !== "0" && (parts.length === 0 || !isWhole)) return fail("dial_timeout");
  const ms = parts.reduce(
    (sum, [, number, unit = ""]) => sum + Number(number) * (UNITS[unit] ?? 0),
    0,
  );
  return ms > 0 ? ms : undefined;
}

/** Unlike containerd, ignores anything but a table of strings. */
function rewritesOf(value: TomlValue | undefined): [string, string][] {
  if (value === undefined || !isTable(value)) return [];
  return Object.entries(value)
    .filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

function fail(key: string): never {
  throw new Error(`\`${key}\` has a value that containerd refuses`);
}
