import type { TomlTable } from "smol-toml";
import { messageOf } from "../async/thrown.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import type { FileSystem } from "./file_system.ts";
import { type HostSettings, readHostSettings, withoutCase } from "./host_settings.ts";
import { hostKey, parseHostsDocument } from "./hosts_document.ts";
import { findRegistryFolder, type RegistryFolder } from "./registry_folder.ts";

/** A server that containerd asks for a registry's content when Eddy does not have it. */
export interface UpstreamServer extends
  Pick<
    HostSettings,
    "pulls" | "resolves" | "skipVerify" | "headers" | "dialTimeoutMs" | "rewrites"
  > {
  /**
   * Base URL of its API, e.g. `https://registry.example/v2`; undefined: derived from the registry's
   * name.
   */
  readonly url: string | undefined;
  /** At an `http:` URL, HTTPS is tried first. */
  readonly httpsFirst: boolean;
  /** CA certificates trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** This node's client certificate and its key, PEM. */
  readonly client: ClientPair | undefined;
  /** Further ones, if there are any. */
  readonly otherClients?: readonly ClientPair[];
  /**
   * True if the configuration names the server, or it follows from the name of the registry's own
   * folder.
   */
  readonly named: boolean;
}

interface ClientPair {
  readonly certificate: string;
  readonly key: string;
}

/** The servers of a registry in containerd's configuration. */
export interface RegistryServers {
  /** In containerd's order; empty if nothing is configured for the registry. */
  readonly servers: readonly UpstreamServer[];
  /** Why containerd ignores its hosts.toml; undefined if it does not. */
  readonly problem: string | undefined;
}

/** The settings of one server, before its files are read. */
interface Host extends HostSettings {
  readonly url: string | undefined;
  readonly httpsFirst: boolean;
}

/** Upper bound of certificate files for one host. */
const MAX_CERTIFICATES = 16;
const NOTHING = readHostSettings({}, "");

/**
 * Reads a registry's servers from containerd's configuration, in containerd's order: its hosts,
 * then the server, which defaults to the registry's name. A hosts.toml that containerd rejects
 * counts as none; without one, certificates are found by file name.
 *
 * Sources: containerd core/remotes/docker/config/hosts.go and docs/hosts.md.
 *
 * @param own URLs of Eddy itself, which are left out.
 * @throws {ConfiguratorError} if one of its files cannot be read: containerd cannot pull either.
 */
export async function readUpstreamServers(
  { fileSystem }: { readonly fileSystem: FileSystem },
  { configPath, registry, own }: {
    readonly configPath: string;
    readonly registry: string;
    readonly own: readonly string[];
  },
): Promise<RegistryServers> {
  const folder = await findRegistryFolder(fileSystem, [configPath], registry);
  if (folder === undefined) return { servers: [], problem: undefined };
  let hosts: readonly Host[] = [];
  let problem: string | undefined;
  try {
    hosts = hostsOf(folder, own);
  } catch (error) {
    problem = messageOf(error);
  }
  if (hosts.length === 0) hosts = [await certificatesOf(fileSystem, folder)];
  const servers = await Promise.all(hosts.map((host) => readServer(fileSystem, host, folder)));
  return { servers, problem };
}

/**
 * The hosts of a hosts.toml; none if it is missing or empty.
 *
 * @throws {Error} for settings that containerd rejects.
 */
function hostsOf({ path, file }: RegistryFolder, own: readonly string[]): Host[] {
  if (file === undefined || file.bytes.length === 0) return [];
  const { top, tables, hosts } = parseHostsDocument(file.bytes);
  const skipped = new Set(own.map(hostKey));
  const read = ([server, table]: readonly [string, TomlTable]): Host => {
    const settings = readHostSettings(table, path);
    return { ...settings, url: apiOf(server, settings), httpsFirst: triesHttps(server, settings) };
  };
  const listed = hosts.map(([url, table]) => ({ url, host: read([url, table as TomlTable]) }))
    .filter(({ url, host }) => host.url !== undefined && !skipped.has(hostKey(url)))
    .map(({ host }) => host);
  const { server = "", ...root } = withoutCase(
    Object.fromEntries([...top, ...tables]),
  );
  if (typeof server !== "string") throw new Error("`server` is not a string");
  const last = read([server, root]);
  // The registry itself supports both.
  const { pulls, resolves } = last.url === undefined ? NOTHING : last;
  return [...listed, { ...last, pulls, resolves }];
}

/** Base URL of a server's API; undefined without a host. */
function apiOf(server: string, { overridePath }: HostSettings): string | undefined {
  const url = URL.parse(server.startsWith("http") ? server : `https://${server}`);
  if (server === "" || url === null || url.host === "") return undefined;
  const path = url.pathname.replaceAll(/\/+/g, "/").replace(/\/$/, "");
  return `${url.protocol}//${url.host}${
    overridePath || path.endsWith("/v2") ? path : `${path}/v2`
  }`;
}

/**
 * Tells whether containerd 1.7.20 and newer try HTTPS first: it is not the scheme, but TLS settings
 * are there, and the port could speak either.
 */
function triesHttps(server: string, { hasTls }: HostSettings): boolean {
  return hasTls && /^http:/.test(server) && !/^http:\/\/[^/?#]*:80(?:[/?#]|$)/.test(server);
}

/** The certificates of a folder without a hosts.toml, in the layout of Docker's certs.d. */
async function certificatesOf(fileSystem: FileSystem, { path }: RegistryFolder): Promise<Host> {
  const entries = await fileSystem.list(path) ?? [];
  const names = entries.filter(({ kind }) => kind !== "directory").map(({ name }) => name);
  const client = names.filter((name) => name.endsWith(".cert")).map((name) => {
    const key = name.replace(/\.cert$/, ".key");
    return [`${path}/${name}`, `${path}/${names.includes(key) ? key : name}`] as const;
  });
  const ca = names.filter((name) => name.endsWith(".crt")).map((name) => `${path}/${name}`);
  return { ...NOTHING, url: undefined, httpsFirst: false, ca, client };
}

async function readServer(
  fileSystem: FileSystem,
  { url, ca, client, headers, overridePath: _path, hasTls: _tls, ...settings }: Host,
  { isDefault }: RegistryFolder,
): Promise<UpstreamServer> {
  const certificate = (path: string) => readPem(fileSystem, path, "CERTIFICATE");
  const named = url !== undefined || !isDefault;
  const [pair, ...otherClients] = await Promise.all(
    client.slice(0, MAX_CERTIFICATES).map(async ([crt, key]) => ({
      certificate: await certificate(crt),
      key: await readPem(fileSystem, key, "PRIVATE KEY"),
    })),
  );
  return {
    ...settings,
    url,
    named,
    caCertificates: await Promise.all(ca.slice(0, MAX_CERTIFICATES).map(certificate)),
    client: pair,
    ...(otherClients.length > 0 ? { otherClients } : {}),
    // A secret must not go to an arbitrary registry that a pod names.
    headers: named ? headers : {},
  };
}

async function readPem(fileSystem: FileSystem, path: string, label: string): Promise<string> {
  const bytes = await fileSystem.readThrough(path);
  const text = new TextDecoder().decode(bytes);
  if (text.includes(`${label}-----`)) return text;
  throw new ConfiguratorError({
    action: "read",
    path,
    reason: bytes === undefined ? "it does not exist" : `it has no ${label} in PEM`,
    fix: "correct `ca` or `client` in the registry's hosts.toml; containerd needs the file, too",
  });
}
