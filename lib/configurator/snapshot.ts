import { ConfiguratorError } from "./configurator_error.ts";
import { TEMPORARY_PREFIX } from "../files/write_durably.ts";
import type { DirectoryEntry, FileSystem, FileVersion } from "./file_system.ts";
import { looksLikeRegistry } from "../oci/reference.ts";
import { DEFAULT_FOLDER, registryOfFolder } from "./settings.ts";
import { parseState, type State, STATE_FILE } from "./state.ts";

/** Directory below the configuration path for copies of originals; Spegel uses the same. */
export const BACKUP_FOLDER = "_backup";
/** The file that containerd reads in a registry's folder. */
export const HOSTS_FILE = "hosts.toml";
const KEPT_FILE = /\.(?:toml|crt|cert|key|pem|bak|orig|txt)$/;
/** Folders beyond this number are ignored. */
const MAX_FOLDERS = 4096;

/** Present state of a registry's folder. */
export interface Folder {
  readonly name: string;
  /** Registry (host and port) that it configures, or `_default`. */
  readonly registry: string;
  /** False if only a backup or a record of it exists. */
  readonly exists: boolean;
  /** True if the backup has a folder of that name. */
  readonly inBackup: boolean;
  /** Its hosts.toml. */
  readonly disk?: FileVersion | undefined;
  /** The backup of its hosts.toml. */
  readonly backup?: FileVersion | undefined;
  /** Contents of the link targets, where these two are links. */
  readonly linked: { readonly disk?: Uint8Array; readonly backup?: Uint8Array };
  /** Names of its other files. */
  readonly others: readonly string[];
  /** Set if the folder is left alone: the reason to report, empty if there is none. */
  readonly problem?: string;
}

/** Present state of the configuration directory. */
export interface Snapshot {
  /** Number of missing levels of its path. */
  readonly missingLevels: number;
  readonly folders: ReadonlyMap<string, Folder>;
  readonly state?: State | undefined;
  /** True if there is a backup directory, Eddy's or another program's. */
  readonly hasBackup: boolean;
  /** Temporary files left by a crash. */
  readonly temporary: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads the configuration directory. */
export async function takeSnapshot(fileSystem: FileSystem, root: string): Promise<Snapshot> {
  const rootEntries = await fileSystem.list(root);
  const backupRoot = `${root}/${BACKUP_FOLDER}`;
  const backupEntries = await fileSystem.list(backupRoot);
  const state = await readState(fileSystem, `${backupRoot}/${STATE_FILE}`);
  const inRoot = byName(rootEntries ?? []);
  const inBackup = byName(backupEntries ?? []);
  const names = new Set([
    ...inRoot.keys(),
    ...inBackup.keys(),
    ...Object.keys(state?.registries ?? {}),
  ]);
  const reader = { fileSystem, root, warnings: [] as string[], temporary: [] as string[] };
  const folders = new Map<string, Folder>();
  for (const name of [...names].sort().slice(0, MAX_FOLDERS)) {
    const registry = registryOfFolder(name);
    if (registry === undefined) continue;
    const folder = await readFolder(reader, name, registry, inRoot.get(name), inBackup.get(name));
    if (folder !== undefined) folders.set(name, folder);
  }
  if (names.size > MAX_FOLDERS) {
    reader.warnings.push(`${root} has more than ${MAX_FOLDERS} entries: the rest is left alone`);
  }
  for (const [parent, entries] of [[root, inRoot], [backupRoot, inBackup]] as const) {
    reader.temporary.push(...temporaryIn(parent, [...entries.values()]));
  }
  return {
    missingLevels: rootEntries === undefined ? await countMissing(fileSystem, root) : 0,
    folders,
    state,
    hasBackup: backupEntries !== undefined,
    temporary: reader.temporary,
    warnings: reader.warnings,
  };
}

interface Reader {
  readonly fileSystem: FileSystem;
  readonly root: string;
  readonly warnings: string[];
  readonly temporary: string[];
}

async function readFolder(
  reader: Reader,
  name: string,
  registry: string,
  entry: DirectoryEntry | undefined,
  backupEntry: DirectoryEntry | undefined,
): Promise<Folder | undefined> {
  const { fileSystem, root } = reader;
  const path = `${root}/${name}`;
  if (entry?.kind === "link") return await readLinkedFolder(reader, name, registry);
  if (entry !== undefined && entry.kind !== "directory") return fileInPlace(name, registry);
  if (backupEntry !== undefined && backupEntry.kind !== "directory" && entry === undefined) {
    return undefined;
  }
  const backupPath = `${root}/${BACKUP_FOLDER}/${name}`;
  const backupEntries = backupEntry?.kind === "directory"
    ? await fileSystem.list(backupPath) ?? []
    : [];
  const entries = entry === undefined ? [] : await fileSystem.list(path) ?? [];
  reader.temporary.push(...temporaryIn(path, entries), ...temporaryIn(backupPath, backupEntries));
  const others = entries.map(({ name }) => name)
    .filter((other) => other !== HOSTS_FILE && !other.startsWith(TEMPORARY_PREFIX));
  const backup = backupEntries.some((e) => e.name === HOSTS_FILE)
    ? await fileSystem.read(`${backupPath}/${HOSTS_FILE}`)
    : undefined;
  const found = await readOrExplain(fileSystem, `${path}/${HOSTS_FILE}`);
  return {
    name,
    registry,
    exists: entry !== undefined,
    inBackup: backupEntry?.kind === "directory",
    others,
    linked: {
      ...await linked(reader, "disk", found.disk, [path]),
      ...await linked(reader, "backup", backup, [path, backupPath]),
    },
    backup,
    ...found,
  };
}

/** A file in place of a registry's folder; files with other names are ignored. */
function fileInPlace(name: string, registry: string): Folder {
  const exists = name === DEFAULT_FOLDER || (looksLikeRegistry(registry) && !KEPT_FILE.test(name));
  const problem = "it is not a directory; containerd cannot pull from there either, so remove it";
  return { name, registry, exists, inBackup: false, others: [], linked: {}, problem };
}

/**
 * Eddy never writes through a link to a folder: one that leads to another folder of the same
 * directory is covered by that folder, any other is left to its owner.
 */
async function readLinkedFolder(
  { fileSystem, root, warnings }: Reader,
  name: string,
  registry: string,
): Promise<Folder | undefined> {
  const target = await fileSystem.realPath(`${root}/${name}`);
  const realRoot = await fileSystem.realPath(root);
  if (target === undefined) return undefined;
  const parent = target.slice(0, target.lastIndexOf("/"));
  if (parent !== realRoot) {
    warnings.push(
      `${root}/${name} is a link to ${target}, outside of the directory: it is left alone, ` +
        `pulls from ${registry} do not go through Eddy`,
    );
  }
  return { name, registry, exists: true, inBackup: false, others: [], linked: {}, problem: "" };
}

/**
 * The content of a link's target, resolved from the first of `directories` from which it exists.
 */
async function linked<Name extends "disk" | "backup">(
  { fileSystem }: Reader,
  name: Name,
  version: FileVersion | undefined,
  directories: readonly string[],
): Promise<{ readonly [key in Name]?: Uint8Array }> {
  if (version?.kind !== "link" || version.target === "") return {};
  for (const directory of directories) {
    const path = version.target.startsWith("/") ? version.target : `${directory}/${version.target}`;
    const bytes = await fileSystem.readThrough(path).catch(() => undefined);
    if (bytes !== undefined) return { [name]: bytes } as { [key in Name]?: Uint8Array };
  }
  return {};
}

/** The version at a path, or why it cannot be a configuration file. */
export async function readOrExplain(
  fileSystem: FileSystem,
  path: string,
): Promise<{ disk?: FileVersion; problem?: string }> {
  try {
    const disk = await fileSystem.read(path);
    return disk === undefined ? {} : { disk };
  } catch (error) {
    if (!(error instanceof ConfiguratorError) || error.cause !== undefined) throw error;
    return { problem: error.message };
  }
}

async function readState(fileSystem: FileSystem, path: string): Promise<State | undefined> {
  const version = await fileSystem.read(path);
  return version?.kind === "file" ? parseState(version.bytes, path) : undefined;
}

async function countMissing(fileSystem: FileSystem, root: string): Promise<number> {
  let missing = 0;
  for (let path = root; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    if (await isThere(fileSystem, path)) break;
    missing++;
  }
  return missing;
}

/**
 * Whether a directory exists. One that this program may not look at does: Deno 2.6 denies a look at
 * `/etc` if an entry of it is denied (deploy/permissions.ts).
 */
async function isThere(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    return await fileSystem.directory(path) !== undefined;
  } catch (error) {
    if (error instanceof ConfiguratorError && error.cause instanceof Deno.errors.NotCapable) {
      return true;
    }
    throw error;
  }
}

function temporaryIn(parent: string, entries: readonly DirectoryEntry[]): string[] {
  return entries.filter((e) => e.name.startsWith(TEMPORARY_PREFIX)).flatMap((e) => {
    const path = `${parent}/${e.name}`;
    return e.kind === "directory" ? [`${path}/${STATE_FILE}`, path] : [path];
  });
}

function byName(entries: readonly DirectoryEntry[]): Map<string, DirectoryEntry> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}
