import { messageOf } from "../async/thrown.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import { type FileSystem, type FileVersion, sameVersion } from "./file_system.ts";
import { type HostsDocument, parseHostsDocument, withoutOwnBlock } from "./hosts_document.ts";
import { shownInBoth, type ShownParts, shownParts } from "./merge_hosts.ts";
import { renderMirrorFile } from "./mirror_file.ts";
import { findOriginal, type Original } from "./original.ts";
import type { Change } from "./plan.ts";
import type { Settings } from "./settings.ts";
import { BACKUP_FOLDER, type Folder, HOSTS_FILE, type Snapshot } from "./snapshot.ts";
import { fingerprint, type StateEntry } from "./state.ts";

/** Planned changes of one registry's folder. */
export interface FolderPlan {
  readonly folder: Folder;
  /** Version to copy to the backup first. */
  readonly save?: FileVersion | undefined;
  /** Record to keep while files change, and afterwards. */
  readonly during?: StateEntry | undefined;
  readonly after?: StateEntry | undefined;
  readonly change?: Change | undefined;
  /**
   * True if Eddy stops managing the folder: its backup goes, and so does a folder that Eddy made.
   */
  readonly released: boolean;
  readonly createdDirectory: boolean;
  readonly warning?: string;
}

/** A user's hosts.toml, parsed. */
export interface UserFile {
  readonly document?: HostsDocument | undefined;
  /** Why it cannot be parsed. */
  readonly problem?: string;
}

/**
 * Reads and parses the user's file in a folder; an empty file counts as none, as in containerd. A
 * link is followed from the folder and then from the backup: its target may not have been restored
 * yet.
 */
export async function readUserFile(
  fileSystem: FileSystem,
  root: string,
  folder: string,
  version: FileVersion | undefined,
): Promise<UserFile> {
  if (version === undefined) return {};
  try {
    const follow = (parent: string, target: string) =>
      fileSystem.readThrough(resolveLink(`${parent}/${folder}`, target));
    const bytes = version.kind === "file" ? version.bytes : await follow(root, version.target) ??
      await follow(`${root}/${BACKUP_FOLDER}`, version.target);
    if (bytes === undefined || bytes.length === 0) return {};
    return { document: parseHostsDocument(bytes) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** The user's default folder, whose settings apply to registries without a folder of their own. */
export interface Fallback {
  readonly document?: HostsDocument | undefined;
  readonly others: readonly string[];
}

/** Context of planning one folder. */
export interface FolderContext {
  readonly fileSystem: FileSystem;
  readonly root: string;
  readonly snapshot: Snapshot;
  readonly fallback: Fallback | undefined;
}

/** Plans a folder whose registry is mirrored. */
export async function planMirrored(
  folder: Folder,
  context: FolderContext,
  settings: Settings,
): Promise<FolderPlan> {
  const path = `${context.root}/${folder.name}/${HOSTS_FILE}`;
  const original = findOriginal(folder, context.snapshot);
  const entry = context.snapshot.state?.registries[folder.name];
  const file = await readUserFile(context.fileSystem, context.root, folder.name, original.version);
  if (file.problem !== undefined) {
    // Then what Eddy (or Spegel) wrote earlier must not stay either.
    const released = original.ours ? planUnmirrored(folder, context) : undefined;
    return {
      ...released ?? leaveAlone(folder, entry, original.createdDirectory),
      warning: `${path} is left alone, pulls from ${folder.registry} do not go through Eddy: ` +
        `${file.problem}; containerd cannot use it either, so repair or remove it`,
    };
  }
  const text = renderMirrorFile({
    registry: folder.registry,
    user: file.document,
    others: folder.others,
    fallback: original.createdDirectory ? context.fallback : undefined,
  }, settings);
  const after = fileFor(text, original.version, settings);
  const change = isInPlace(folder.disk, after, settings)
    ? undefined
    : changeOf(path, folder, after);
  const record: StateEntry = {
    hasOriginal: original.version !== undefined,
    createdDirectory: original.createdDirectory,
    written: fingerprints(folder, original, after, entry),
    shown: shownOf(after),
  };
  return {
    folder,
    save: original.save ? original.version : undefined,
    during: change === undefined || entry === undefined ? record : {
      ...record,
      shown: shownInBoth(original.ours ? entry.shown ?? {} : shownOf(folder.disk), shownOf(after)),
    },
    after: record,
    change,
    released: false,
    createdDirectory: original.createdDirectory,
  };
}

/**
 * Plans a folder whose registry is not mirrored: restores the original; undefined if nothing
 * changes.
 */
export function planUnmirrored(folder: Folder, context: FolderContext): FolderPlan | undefined {
  const original = findOriginal(folder, context.snapshot);
  if (!original.known) return undefined;
  const entry = context.snapshot.state?.registries[folder.name];
  const change = sameVersion(folder.disk, original.version, { modes: true })
    ? undefined
    : changeOf(`${context.root}/${folder.name}/${HOSTS_FILE}`, folder, original.version);
  return {
    folder,
    save: original.save ? original.version : undefined,
    during: {
      hasOriginal: original.version !== undefined,
      createdDirectory: original.createdDirectory,
      written: original.ours && folder.disk !== undefined
        ? [fingerprint(folder.disk)]
        : entry?.written ?? [],
      shown: entry?.shown,
    },
    change,
    released: true,
    createdDirectory: original.createdDirectory,
  };
}

/** Keeps the record of a folder unchanged. */
export function leaveAlone(
  folder: Folder,
  entry: StateEntry | undefined,
  createdDirectory: boolean,
): FolderPlan {
  return {
    folder,
    during: entry,
    after: entry,
    released: false,
    createdDirectory,
  };
}

function changeOf(path: string, folder: Folder, after: FileVersion | undefined): Change {
  return {
    path,
    before: folder.disk,
    after,
  };
}

/**
 * The file takes permissions and owner from the user's file; without one, only its owner may read
 * it.
 */
function fileFor(text: string, user: FileVersion | undefined, settings: Settings): FileVersion {
  const model = user?.kind === "file" ? user : undefined;
  return {
    kind: "file",
    bytes: new TextEncoder().encode(text),
    mode: settings.secrets.length === 0 ? model?.mode ?? 0o644 : 0o600,
    owner: model?.owner,
  };
}

/** A file with the right content is left alone, unless others could read a secret in it. */
function isInPlace(disk: FileVersion | undefined, after: FileVersion, settings: Settings): boolean {
  if (disk?.kind !== "file" || !sameVersion(disk, after, { modes: false })) return false;
  return settings.secrets.length === 0 || (disk.mode & 0o077) === 0;
}

/**
 * Fingerprints by which Eddy recognises its own files from now on: the present one and the next.
 */
function fingerprints(
  folder: Folder,
  original: Original,
  after: FileVersion,
  entry: StateEntry | undefined,
): string[] {
  const next = fingerprint(after);
  const current = folder.disk === undefined ? undefined : fingerprint(folder.disk);
  // Nothing will be written, so the record stays as it is.
  if (current === next && entry?.written.includes(next) === true) return entry.written;
  return original.ours && current !== undefined && current !== next ? [current, next] : [next];
}

/** The user's parts that are visible in a file written by Eddy. */
function shownOf(version: FileVersion | undefined): ShownParts {
  if (version?.kind !== "file") return {};
  const remainder = withoutOwnBlock(version.bytes);
  return shownParts(remainder === undefined ? version.bytes : remainder);
}

/** Resolves a link textually, as containerd does. */
function resolveLink(directory: string, target: string): string {
  if (target === "") {
    throw new ConfiguratorError({
      action: "follow",
      path: `${directory}/${HOSTS_FILE}`,
      reason: "it is an empty link",
      fix: "repair or remove it",
    });
  }
  return target.startsWith("/") ? target : `${directory}/${target}`;
}
