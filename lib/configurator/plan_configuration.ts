import type { FileSystem } from "./file_system.ts";
import {
  type Fallback,
  type FolderContext,
  type FolderPlan,
  leaveAlone,
  planMirrored,
  planUnmirrored,
  readUserFile,
} from "./folder_plan.ts";
import { findOriginal } from "./original.ts";
import type { ConfigurationPlan, ConfiguratorCollaborators } from "./plan.ts";
import { planSteps } from "./plan_steps.ts";
import {
  checkOptions,
  type ConfiguratorOptions,
  DEFAULT_FOLDER,
  registryOfFolder,
  type Settings,
} from "./settings.ts";
import { type Folder, type Snapshot, takeSnapshot } from "./snapshot.ts";
import { returnFiles, type ReturnOfFiles } from "./spegel_backup.ts";

/**
 * Reads the configuration directory and plans the changes by which containerd asks Eddy first;
 * changes nothing. The same directory and options always give the same plan. After a plan is
 * applied, the next one has no steps.
 *
 * @throws {ConfiguratorError} for bad options, or if the directory or a file cannot be read.
 */
export async function planConfiguration(
  { fileSystem }: ConfiguratorCollaborators,
  options: ConfiguratorOptions,
): Promise<ConfigurationPlan> {
  const settings = checkOptions(options);
  const root = settings.configPath;
  const taken = await takeSnapshot(fileSystem, root);
  const migrating = taken.hasBackup && taken.state === undefined;
  const returned = migrating ? await returnFiles(fileSystem, root) : undefined;
  const snapshot = { ...taken, folders: withWanted(taken, settings, returned) };
  const context: FolderContext = {
    fileSystem,
    root,
    snapshot,
    fallback: await readFallback(fileSystem, root, snapshot),
  };
  const warnings = [...snapshot.warnings, ...returned?.warnings ?? []];
  const plans: FolderPlan[] = [];
  for (const folder of snapshot.folders.values()) {
    const plan = await planFolder(folder, context, settings, warnings);
    if (plan?.warning !== undefined) warnings.push(plan.warning);
    if (plan !== undefined) plans.push(plan);
  }
  return planSteps({
    root,
    snapshot,
    plans,
    warnings,
    hosts: [...settings.targets, ...settings.additional.map(({ url }) => url)],
    returned,
    secrets: settings.secrets,
  });
}

async function planFolder(
  folder: Folder,
  context: FolderContext,
  settings: Settings,
  warnings: string[],
): Promise<FolderPlan | undefined> {
  const entry = context.snapshot.state?.registries[folder.name];
  const path = `${context.root}/${folder.name}`;
  const wanted = isWanted(folder, settings);
  if (folder.problem !== undefined) {
    if (wanted && folder.problem !== "") {
      warnings.push(
        `${path} is left alone, pulls from ${folder.registry} do not go through Eddy: ${folder.problem}`,
      );
    }
    return leaveAlone(folder, entry, false);
  }
  if (wanted && isEddyItself(folder.registry, settings)) {
    if (settings.named.has(folder.registry)) {
      warnings.push(`${folder.registry} is Eddy itself, it cannot be mirrored: left out`);
    }
    return planUnmirrored(folder, context);
  }
  return wanted ? await planMirrored(folder, context, settings) : planUnmirrored(folder, context);
}

function isWanted(folder: Folder, settings: Settings): boolean {
  if (settings.named.has(folder.registry)) return true;
  return settings.all && (folder.exists || folder.name === DEFAULT_FOLDER);
}

function isEddyItself(registry: string, settings: Settings): boolean {
  return settings.targets.some((url) => new URL(url).host === registry);
}

/**
 * Adds the folders to make. When Spegel's backup is taken over, folders are shown as they will be
 * after its files are restored. Sorted by name.
 */
function withWanted(
  snapshot: Snapshot,
  settings: Settings,
  returned: ReturnOfFiles | undefined,
): ReadonlyMap<string, Folder> {
  const folders = new Map(snapshot.folders);
  for (const registry of [...settings.named.keys(), ...settings.all ? [DEFAULT_FOLDER] : []]) {
    if ([...folders.values()].some((f) => f.registry === registry && (f.exists || f.inBackup))) {
      continue;
    }
    folders.set(registry, {
      name: registry,
      registry,
      exists: false,
      inBackup: false,
      others: [],
      linked: {},
      ...folders.get(registry),
    });
  }
  if (returned !== undefined) {
    for (const folder of folders.values()) {
      const prefix = `${settings.configPath}/${folder.name}/`;
      const names = returned.files.map(({ path }) => path)
        .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
        .map((path) => path.slice(prefix.length));
      folders.set(folder.name, {
        ...folder,
        exists: folder.exists || folder.inBackup,
        others: [...new Set([...folder.others, ...names])].sort(),
      });
    }
  }
  return new Map(
    [...folders].filter(([name]) => registryOfFolder(name) !== undefined)
      .sort(([a], [b]) => a < b ? -1 : 1),
  );
}

/**
 * The user's default folder, which a new folder for one registry hides from that registry's pulls.
 */
async function readFallback(
  fileSystem: FileSystem,
  root: string,
  snapshot: Snapshot,
): Promise<Fallback | undefined> {
  const folder = snapshot.folders.get(DEFAULT_FOLDER);
  if (folder === undefined || folder.problem !== undefined) return undefined;
  const { version } = findOriginal(folder, snapshot);
  const { document } = await readUserFile(fileSystem, root, DEFAULT_FOLDER, version);
  const others = folder.others.filter((name) => /\.(?:crt|cert|key)$/.test(name));
  if (document === undefined && others.length === 0) return undefined;
  return { document, others };
}
