import type { TomlTable, TomlValue } from "smol-toml";
import {
  EMPTY_DOCUMENT,
  type Entries,
  hostKey,
  type HostsDocument,
  renderHostsDocument,
} from "./hosts_document.ts";
import { DEFAULT_FOLDER, type Settings } from "./settings.ts";

/**
 * How long containerd waits for a connection to an additional mirror. That is not on this node, so
 * it gets more time than Eddy; but one that is down must not cost the 30 s of containerd's default.
 */
const ADDITIONAL_DIAL_TIMEOUT = "1s";

/** What a mirrored registry's hosts.toml is made from. */
export interface MirrorFileInput {
  /** Host and port, or `_default`. */
  readonly registry: string;
  /** Content of the user's file; undefined if there is none or an empty one. */
  readonly user?: HostsDocument;
  /** Names of the other files in the folder. */
  readonly others: readonly string[];
  /** What containerd would read for this registry if its folder were not made by Eddy. */
  readonly fallback?: { readonly document?: HostsDocument; readonly others: readonly string[] };
}

/**
 * Renders a hosts.toml with Eddy in front of what the user has. Whatever containerd would have used
 * without this file still holds: hosts, the registry's own settings, certificates found by their
 * names, and the default folder's settings where the new folder hides them.
 *
 * Sources: containerd core/remotes/docker/config/hosts.go and docs/hosts.md.
 */
export function renderMirrorFile(input: MirrorFileInput, settings: Settings): string {
  const own = new Set(settings.targets.map(hostKey));
  const user = input.user ?? EMPTY_DOCUMENT;
  const { fallback } = input;
  const inherited = fallback === undefined
    ? EMPTY_DOCUMENT
    : rebase(withCertificates(fallback.document, fallback.others));
  const top = withCertificates(input.user, input.others).top
    .filter(([key]) => !user.top.some(([other]) => other === key));
  const server = input.user === undefined && fallback === undefined
    ? serverOf(input.registry, settings)
    : undefined;
  const keep = (hosts: Entries) =>
    settings.prependExisting ? hosts.filter(([url]) => !own.has(hostKey(url))) : [];
  const kept = [...keep(inherited.hosts), ...keep(user.hosts)];
  const present = new Set(kept.map(([url]) => hostKey(url)));
  return renderHostsDocument({ ...user, hosts: keep(user.hosts) }, {
    top: [
      ...(server === undefined ? [] : [["server", server] as const]),
      ...top,
      ...inherited.top,
    ],
    tables: inherited.tables,
    hosts: [
      ...settings.targets.map((url) => [url, eddyHost(settings)] as const),
      ...settings.additional
        .filter((url) => !present.has(hostKey(url)) && !own.has(hostKey(url)))
        .map((url) => [url, additionalHost()] as const),
      ...keep(inherited.hosts),
    ],
  });
}

function eddyHost(settings: Settings): TomlTable {
  return {
    capabilities: settings.resolveTags ? ["pull", "resolve"] : ["pull"],
    dial_timeout: `${settings.dialTimeoutMs}ms`,
    ...(settings.authorization === undefined
      ? {}
      : { header: { Authorization: settings.authorization } }),
  };
}

function additionalHost(): TomlTable {
  return { capabilities: ["pull", "resolve"], dial_timeout: ADDITIONAL_DIAL_TIMEOUT };
}

/**
 * Where containerd goes when no mirror has it. Left out where nothing was said about it: containerd
 * then finds scheme and host itself, plain HTTP for localhost included.
 */
function serverOf(registry: string, settings: Settings): string | undefined {
  if (registry === DEFAULT_FOLDER) return undefined;
  const server = settings.named.get(registry)?.server;
  // The registry of this name is not where docker.io's images are.
  if (registry === "docker.io" && !server?.startsWith("http:")) {
    return "https://registry-1.docker.io";
  }
  return server;
}

/**
 * A folder without a hosts.toml can hold certificates in Docker's layout, which containerd reads
 * only then (1.x also when there is no host in it). Names them, so that they still count.
 */
function withCertificates(
  document: HostsDocument | undefined,
  files: readonly string[],
): HostsDocument {
  const { top, hosts } = document ?? EMPTY_DOCUMENT;
  const settled = hosts.length > 0 || top.some(([key]) => key === "ca" || key === "client");
  if (settled) return document ?? EMPTY_DOCUMENT;
  const ca = files.filter((name) => name.endsWith(".crt"));
  const client = files.filter((name) => name.endsWith(".cert")).map((name) => {
    const key = name.slice(0, -".cert".length) + ".key";
    // A lone certificate file holds its key as well. An empty second name, which containerd's
    // documentation shows for that, would be taken for the folder.
    return [name, files.includes(key) ? key : name];
  });
  return {
    ...(document ?? EMPTY_DOCUMENT),
    top: [
      ...top,
      ...(ca.length === 0 ? [] : [["ca", ca] as const]),
      ...(client.length === 0 ? [] : [["client", client] as const]),
    ],
  };
}

/** Makes relative paths of certificates in the default folder right for a folder beside it. */
function rebase(document: HostsDocument): HostsDocument {
  const value = (v: TomlValue): TomlValue => {
    if (Array.isArray(v)) return v.map(value);
    return typeof v === "string" && v !== "" && !v.startsWith("/")
      ? `../${DEFAULT_FOLDER}/${v}`
      : v;
  };
  const entries = (list: Entries): Entries =>
    list.map(([key, v]) => [key, key === "ca" || key === "client" ? value(v) : v]);
  return {
    ...document,
    top: entries(document.top),
    hosts: document.hosts.map(([url, table]) => [
      url,
      Object.fromEntries(entries(Object.entries(table as TomlTable))),
    ]),
  };
}
