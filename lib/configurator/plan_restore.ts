import { type FileSystem, sameVersion } from "./file_system.ts";
import { type FolderContext, type FolderPlan, leaveAlone, planUnmirrored } from "./folder_plan.ts";
import type { ConfigurationPlan, ConfiguratorCollaborators, Step } from "./plan.ts";
import { planSteps } from "./plan_steps.ts";
import { checkConfigPath } from "./settings.ts";
import {
  BACKUP_FOLDER,
  HOSTS_FILE,
  readOrExplain,
  type Snapshot,
  takeSnapshot,
} from "./snapshot.ts";
import { walkBackup } from "./spegel_backup.ts";

export interface RestoreOptions {
  /** containerd's registry configuration directory, an absolute path. */
  readonly configPath: string;
}

/**
 * Reads the configuration directory and plans how to restore its state before Eddy: originals byte
 * for byte with their permissions, and nothing left that Eddy made. Changes nothing. The plan is
 * empty if Eddy made no changes.
 *
 * @throws {ConfiguratorError} if the path is bad, or the directory or a file cannot be read.
 */
export async function planRestore(
  { fileSystem }: ConfiguratorCollaborators,
  options: RestoreOptions,
): Promise<ConfigurationPlan> {
  const root = checkConfigPath(options.configPath);
  const snapshot = await takeSnapshot(fileSystem, root);
  if (snapshot.hasBackup && snapshot.state === undefined) {
    const path = `${root}/${BACKUP_FOLDER}`;
    return {
      changes: [],
      warnings: [`${path} was made by another program: it and all else is left alone`],
      steps: snapshot.temporary.map((path) => ({ type: "remove", path })),
      secrets: [],
    };
  }
  const context: FolderContext = { fileSystem, root, snapshot, fallback: undefined };
  const plans: FolderPlan[] = [];
  for (const folder of snapshot.folders.values()) {
    const plan = folder.problem === undefined
      ? planUnmirrored(folder, context)
      : leaveAlone(folder, undefined, false);
    if (plan !== undefined) plans.push(plan);
  }
  const plan = planSteps({
    root,
    snapshot,
    plans,
    warnings: snapshot.warnings,
    hosts: snapshot.state?.hosts ?? [],
    secrets: [],
  });
  const { steps, warnings } = await finish(fileSystem, root, snapshot, plans);
  return {
    ...plan,
    warnings: [...plan.warnings, ...warnings],
    steps: [...plan.steps, ...steps],
  };
}

/**
 * Clears the backup: first the files that Spegel left there and that are restored, then the rest,
 * unless it contains something that exists nowhere else.
 */
async function finish(
  fileSystem: FileSystem,
  root: string,
  snapshot: Snapshot,
  plans: readonly FolderPlan[],
): Promise<{ steps: Step[]; warnings: string[] }> {
  const steps: Step[] = [];
  const warnings: string[] = [];
  const restored = new Set(
    plans.filter((p) => p.released).map((p) => `${p.folder.name}/${HOSTS_FILE}`),
  );
  const directories: string[] = [];
  for (const { path, kind } of await walkBackup(fileSystem, root)) {
    const inBackup = `${root}/${BACKUP_FOLDER}/${path}`;
    if (kind === "directory") {
      directories.unshift(inBackup);
      continue;
    }
    if (restored.has(path)) continue;
    const backup = await readOrExplain(fileSystem, inBackup);
    const place = await readOrExplain(fileSystem, `${root}/${path}`);
    if (backup.disk !== undefined && sameVersion(backup.disk, place.disk, { modes: true })) {
      steps.push({ type: "remove", path: inBackup });
    } else {
      warnings.push(`${inBackup} is kept: its place was removed or changed by someone else`);
    }
  }
  steps.push(...directories.map((path) => ({ type: "remove", path }) as const));
  const begun = snapshot.hasBackup || plans.some(({ during }) => during !== undefined);
  if (begun && warnings.length === 0) {
    steps.push({ type: "end", path: `${root}/${BACKUP_FOLDER}` });
    let made = root;
    for (let level = snapshot.state?.createdLevels ?? 0; level > 0; level--) {
      steps.push({ type: "remove", path: made });
      made = made.slice(0, made.lastIndexOf("/"));
    }
  }
  return { steps, warnings };
}
