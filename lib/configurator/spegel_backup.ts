import { TEMPORARY_PREFIX } from "../files/write_durably.ts";
import { type FileSystem, type FileVersion, type RegularFile, sameVersion } from "./file_system.ts";
import { type HostsPart, hostsParts } from "./hosts_parts.ts";
import { BACKUP_FOLDER, HOSTS_FILE, readOrExplain } from "./snapshot.ts";
import { registryOfFolder } from "./settings.ts";
import { STATE_FILE } from "./state.ts";

/** Deeper directories of a backup are ignored. */
const MAX_DEPTH = 8;
/** Further entries of a backup are ignored. */
const MAX_ENTRIES = 10_000;

/**
 * Spegel's hosts.toml begins in one of a few ways, all in literal quotes. Nothing else matches, so
 * that a user's file is never taken for Spegel's.
 */
const SPEGEL_OUTPUT =
  /^(?:server = '[^'\n]*'\n)?\n*(?:\[host\]\n)?\[host\.'https?:\/\/[^'\n]+'\]\ncapabilities = \['pull'(?:, ?'resolve')?\](?:\n|$)/;

/** Tells whether a hosts.toml is Spegel's own output. */
export function isSpegelOutput(version: FileVersion): boolean {
  if (version.kind !== "file") return false;
  return SPEGEL_OUTPUT.test(new TextDecoder().decode(version.bytes));
}

/**
 * The hosts that someone added to Spegel's output: those after the hosts that Spegel writes, which
 * come first and are on this machine or have a dial timeout of 200 ms; undefined if there are none.
 */
export function hostsAddedToSpegel(version: FileVersion): RegularFile | undefined {
  if (version.kind !== "file") return undefined;
  const hosts = (hostsParts(version.bytes) ?? []).filter(({ key }) => key.startsWith("host "));
  const added = hosts.slice(hosts.findIndex((part) => !isSpegelHost(part)));
  if (hosts.every(isSpegelHost)) return undefined;
  const text = added.map((part) => part.text).join("");
  return { ...version, bytes: new TextEncoder().encode(text) };
}

function isSpegelHost({ key, text }: HostsPart): boolean {
  return /^host http:\/\/(?:[\d.]+|localhost|\[[^\]]*\])(?::|\/|$)/.test(key) ||
    /^\s*dial_timeout = '200ms'$/m.test(text);
}

/** An entry of the backup directory, with its path relative to it. */
export interface BackupEntry {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** Everything in a backup except Eddy's state, parents first. */
export async function walkBackup(fileSystem: FileSystem, root: string): Promise<BackupEntry[]> {
  const found: BackupEntry[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    const entries = await fileSystem.list(`${root}/${BACKUP_FOLDER}${below}`) ?? [];
    for (const { name, kind } of entries) {
      if (found.length >= MAX_ENTRIES) return;
      const path = `${below}/${name}`;
      if (path === `/${STATE_FILE}` || name.startsWith(TEMPORARY_PREFIX)) continue;
      if (kind === "file" || kind === "link") found.push({ path: path.slice(1), kind: "file" });
      if (kind !== "directory" || depth >= MAX_DEPTH) continue;
      found.push({ path: path.slice(1), kind });
      await walk(path, depth + 1);
    }
  };
  await walk("", 1);
  return found;
}

/** Directories to make and files to write. */
export interface ReturnOfFiles {
  readonly directories: readonly { readonly path: string; readonly mode: number }[];
  readonly files: readonly { readonly path: string; readonly version: FileVersion }[];
  readonly warnings: readonly string[];
}

/**
 * Lists what to copy back from Spegel's backup so that each folder is whole again: Spegel moves
 * everything into the backup, certificates too, and restores only part of it. hosts.toml files of
 * registries are not included. Existing files are never overwritten.
 */
export async function returnFiles(fileSystem: FileSystem, root: string): Promise<ReturnOfFiles> {
  const directories: { path: string; mode: number }[] = [];
  const files: { path: string; version: FileVersion }[] = [];
  const warnings: string[] = [];
  for (const { path, kind } of await walkBackup(fileSystem, root)) {
    const from = `${root}/${BACKUP_FOLDER}/${path}`;
    const to = `${root}/${path}`;
    if (kind === "directory") {
      const { mode } = await fileSystem.directory(from) ?? { mode: 0o755 };
      if (await fileSystem.directory(to) === undefined) directories.push({ path: to, mode });
      continue;
    }
    if (isRegistryFile(path)) continue;
    const source = await readOrExplain(fileSystem, from);
    const target = await readOrExplain(fileSystem, to);
    if (source.problem !== undefined) warnings.push(`left in the backup: ${source.problem}`);
    if (source.disk === undefined || target.problem !== undefined) continue;
    if (target.disk === undefined) files.push({ path: to, version: source.disk });
    else if (!sameVersion(source.disk, target.disk, { modes: false })) {
      warnings.push(`${to} differs from ${from}: both are kept`);
    }
  }
  return { directories, files, warnings };
}

/** Tells whether a path in the backup is a registry's hosts.toml. */
function isRegistryFile(path: string): boolean {
  const [folder = "", file, more] = path.split("/");
  return more === undefined && file === HOSTS_FILE && registryOfFolder(folder) !== undefined;
}
