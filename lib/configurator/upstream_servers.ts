import type { TomlTable, TomlValue } from "smol-toml";
import type { FileSystem } from "./file_system.ts";
import { type Entries, hostKey, parseHostsDocument } from "./hosts_document.ts";
import { DEFAULT_FOLDER } from "./settings.ts";
import { HOSTS_FILE } from "./snapshot.ts";

/** A server that containerd asks for a registry's content when Eddy does not have it. */
export interface UpstreamServer {
  /**
   * Base URL of its API, e.g. `https://registry.example/v2`; undefined: derived from the registry's
   * name.
   */
  readonly url: string | undefined;
  /** CA certificates trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** Headers of each request; may be secret. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * True if the configuration names the server, or it follows from the name of the registry's own
   * folder.
   */
  readonly named: boolean;
}

/** Upper bound of certificate files for one host. */
const MAX_CERTIFICATES = 16;

/**
 * Reads from containerd's configuration where a registry's tags are resolved, in containerd's
 * order: hosts with the `resolve` capability, then the server, which defaults to the registry's
 * name. Client certificates and `skip_verify` are not supported: a server that needs them cannot be
 * asked.
 *
 * Sources: containerd core/remotes/docker/config/hosts.go and docs/hosts.md.
 *
 * @param own URLs of Eddy itself, which are left out.
 * @returns an empty list if nothing is configured for the registry, or its configuration cannot be
 * read.
 */
export async function readUpstreamServers(
  { fileSystem }: { readonly fileSystem: FileSystem },
  { configPath, registry, own }: {
    readonly configPath: string;
    readonly registry: string;
    readonly own: readonly string[];
  },
): Promise<UpstreamServer[]> {
  const folder = await findFolder(fileSystem, configPath, registry);
  if (folder === undefined) return [];
  const isOwnFolder = folder.name !== DEFAULT_FOLDER;
  if (folder.bytes === undefined) {
    return [{ url: undefined, caCertificates: [], headers: {}, named: isOwnFolder }];
  }
  const { top, tables, hosts } = parseHostsDocument(folder.bytes);
  const skipped = new Set(own.map(hostKey));
  const server = top.find(([key]) => key === "server")?.[1];
  const entries = hosts.filter(([url, table]) => !skipped.has(hostKey(url)) && resolves(table));
  const read = async (url: string | undefined, table: TomlTable): Promise<UpstreamServer> => {
    const named = url !== undefined || isOwnFolder;
    return {
      url: url === undefined ? undefined : apiOf(url, table["override_path"] === true),
      caCertificates: await readCertificates(fileSystem, folder.path, table["ca"]),
      // A secret must not go to an arbitrary registry that a pod names.
      headers: named ? headersOf(table["header"]) : {},
      named,
    };
  };
  const servers = await Promise.all(
    entries.map(([url, table]) => read(url, table as TomlTable)),
  );
  const last = typeof server === "string" && server !== "" ? server : undefined;
  servers.push(await read(last, Object.fromEntries([...top, ...tables])));
  return servers;
}

interface Folder {
  readonly name: string;
  readonly path: string;
  /** Content of its hosts.toml; undefined if it has none. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

async function findFolder(
  fileSystem: FileSystem,
  configPath: string,
  registry: string,
): Promise<Folder | undefined> {
  // containerd reads `host_port_` before `host:port`, and the default folder last.
  const names = [registry.replace(/:(\d+)$/, "_$1_"), registry, DEFAULT_FOLDER];
  for (const name of new Set(names)) {
    const path = `${configPath}/${name}`;
    if (await fileSystem.directory(path) === undefined) continue;
    return { name, path, bytes: await fileSystem.readThrough(`${path}/${HOSTS_FILE}`) };
  }
  return undefined;
}

function resolves(table: TomlValue): boolean {
  const capabilities = (table as TomlTable)["capabilities"];
  return !Array.isArray(capabilities) || capabilities.includes("resolve");
}

function apiOf(text: string, overridePath: boolean): string {
  const url = new URL(text.includes("://") ? text : `https://${text}`);
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${overridePath || path.endsWith("/v2") ? path : `${path}/v2`}`;
}

async function readCertificates(
  fileSystem: FileSystem,
  folder: string,
  value: TomlValue | undefined,
): Promise<string[]> {
  const names = (Array.isArray(value) ? value : [value])
    .filter((name) => typeof name === "string" && name !== "").slice(0, MAX_CERTIFICATES);
  const files = await Promise.all(names.map((name) => {
    const path = String(name);
    return fileSystem.readThrough(path.startsWith("/") ? path : `${folder}/${path}`);
  }));
  return files.flatMap((bytes) => bytes === undefined ? [] : [new TextDecoder().decode(bytes)]);
}

function headersOf(value: TomlValue | undefined): Record<string, string> {
  if (typeof value !== "object" || Array.isArray(value)) return {};
  const entries: Entries = Object.entries(value as TomlTable);
  return Object.fromEntries(
    entries.map(([name, v]) => [name, String(Array.isArray(v) ? v[0] ?? "" : v)]),
  );
}
