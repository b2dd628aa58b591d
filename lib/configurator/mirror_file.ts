import type { TomlTable, TomlValue } from "smol-toml";
import {
  EMPTY_DOCUMENT,
  type Entries,
  hostKey,
  type HostsDocument,
  renderHostsDocument,
} from "./hosts_document.ts";
import { type AdditionalMirror, DEFAULT_FOLDER, type Settings } from "./settings.ts";

/**
 * Dial timeout of an additional mirror. It is not on this node, so it gets more time than Eddy, but
 * a mirror that is down must not cost containerd's default of 30 s.
 */
const ADDITIONAL_DIAL_TIMEOUT = "1s";

/** Inputs of a mirrored registry's hosts.toml. */
export interface MirrorFileInput {
  /** Host and port, or `_default`. */
  readonly registry: string;
  /** The user's file; undefined if missing or empty. */
  readonly user?: HostsDocument | undefined;
  /** Names of the other files in the folder. */
  readonly others: readonly string[];
  /** What containerd would read for this registry if Eddy had not made its folder. */
  readonly fallback?: {
    readonly document?: HostsDocument | undefined;
    readonly others: readonly string[];
  } | undefined;
}

/**
 * Renders a hosts.toml with Eddy before the user's hosts. Everything that containerd would have
 * used without this file still applies: hosts, the registry's own settings, certificates found by
 * file name, and the default folder's settings, which the new folder hides.
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
        .filter(({ url }) => !present.has(hostKey(url)) && !own.has(hostKey(url)))
        .map((mirror) => [mirror.url, additionalHost(mirror)] as const),
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

function additionalHost(
  { url, ca = [], skipVerify = false, header = {} }: AdditionalMirror,
): TomlTable {
  const { pathname } = new URL(url);
  return {
    capabilities: ["pull", "resolve"],
    dial_timeout: ADDITIONAL_DIAL_TIMEOUT,
    // containerd would append /v2 to the path of a project or a cache.
    ...(/^\/$|\/v2$/.test(pathname) ? {} : { override_path: true }),
    ...(ca.length === 0 ? {} : { ca: [...ca] }),
    ...(skipVerify ? { skip_verify: true } : {}),
    ...(Object.keys(header).length === 0 ? {} : {
      header: Object.fromEntries(
        Object.entries(header).map(([name, values]) => [name, [...values]]),
      ),
    }),
  };
}

/**
 * The upstream server. Left out unless it was given: containerd then derives scheme and host
 * itself, including plain HTTP for localhost.
 */
function serverOf(registry: string, settings: Settings): string | undefined {
  if (registry === DEFAULT_FOLDER) return undefined;
  const server = settings.named.get(registry)?.server;
  // docker.io's images are on another host.
  if (registry === "docker.io" && !server?.startsWith("http:")) {
    return "https://registry-1.docker.io";
  }
  return server;
}

/**
 * Names the certificates of a folder without a hosts.toml: containerd looks for Docker's layout by
 * file name only if there is no hosts.toml (1.x also if it has no hosts).
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
    // A lone certificate file contains its key. containerd's documentation shows an empty second
    // name for that, but containerd resolves it to the folder.
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

/** Rewrites relative certificate paths of the default folder for a sibling folder. */
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
