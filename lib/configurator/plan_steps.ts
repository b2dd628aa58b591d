import type { FolderPlan } from "./folder_plan.ts";
import type { ConfigurationPlan, Step } from "./plan.ts";
import { BACKUP_FOLDER, HOSTS_FILE, type Snapshot } from "./snapshot.ts";
import type { ReturnOfFiles } from "./spegel_backup.ts";
import { formatState, type State, STATE_FILE, type StateEntry } from "./state.ts";

export interface PlanParts {
  readonly root: string;
  readonly snapshot: Snapshot;
  readonly plans: readonly FolderPlan[];
  readonly warnings: readonly string[];
  /** Hosts that Eddy writes, to be recorded. */
  readonly hosts: readonly string[];
  /** Set when Spegel's backup is taken over. */
  readonly returned?: ReturnOfFiles | undefined;
  readonly secrets: readonly string[];
}

/**
 * Orders the steps so that each may be the last one before a crash: the user's files are copied to
 * the backup, the intended output is recorded, files are changed, and leftovers are removed. The
 * next plan, or a restore, continues from there.
 */
export function planSteps(parts: PlanParts): ConfigurationPlan {
  const { root, snapshot, plans } = parts;
  const backupRoot = `${root}/${BACKUP_FOLDER}`;
  const { during, after, current } = states(parts);
  const changes = plans.flatMap(({ change }) => change ?? []);
  const needed = snapshot.hasBackup || Object.keys(during.registries).length > 0;
  const steps: Step[] = snapshot.temporary.map((path) => ({ type: "remove", path }));
  if (needed) {
    steps.push(...makeRoot(root, snapshot.missingLevels));
    if (!snapshot.hasBackup) steps.push({ type: "begin", path: backupRoot, state: current });
    steps.push(...returnSteps(root, parts.returned), ...saveSteps(backupRoot, plans));
    const takeOver = snapshot.hasBackup && snapshot.state === undefined;
    if (takeOver || !sameState(current, during)) steps.push(stateStep(backupRoot, during));
    for (const { folder, change } of plans) {
      if (change === undefined) continue;
      if (!folder.exists && change.after !== undefined) {
        steps.push({ type: "make-directory", path: `${root}/${folder.name}`, mode: 0o755 });
      }
      steps.push({ type: "change", change });
    }
    steps.push(...releaseSteps(root, plans));
    if (!sameState(during, after)) steps.push(stateStep(backupRoot, after));
  }
  return {
    changes,
    warnings: parts.warnings,
    steps,
    secrets: parts.secrets,
  };
}

function states(parts: PlanParts): { current: State; during: State; after: State } {
  const current: State = parts.snapshot.state ??
    { version: 1, createdLevels: parts.snapshot.missingLevels, hosts: [], registries: {} };
  const record = (pick: (plan: FolderPlan) => StateEntry | undefined): State => ({
    ...current,
    hosts: [...parts.hosts],
    registries: Object.fromEntries(parts.plans.flatMap((plan) => {
      const entry = pick(plan);
      return entry === undefined ? [] : [[plan.folder.name, entry]];
    })),
  });
  return { current, during: record((plan) => plan.during), after: record((plan) => plan.after) };
}

function makeRoot(root: string, missingLevels: number): Step[] {
  const steps: Step[] = [];
  for (let path = root; steps.length < missingLevels; path = path.slice(0, path.lastIndexOf("/"))) {
    steps.unshift({ type: "make-directory", path, mode: 0o755 });
  }
  return steps;
}

function returnSteps(root: string, returned: ReturnOfFiles | undefined): Step[] {
  return [
    ...(returned?.directories ?? []).map((d) => ({ type: "make-directory", ...d }) as const),
    ...(returned?.files ?? []).map((f) => ({ type: "write", ...f, through: root }) as const),
  ];
}

function saveSteps(backupRoot: string, plans: readonly FolderPlan[]): Step[] {
  return plans.flatMap(({ folder, save }): Step[] => {
    if (save === undefined) return [];
    const path = `${backupRoot}/${folder.name}`;
    return [
      { type: "make-directory", path, mode: 0o755 },
      { type: "write", path: `${path}/${HOSTS_FILE}`, version: save },
    ];
  });
}

/**
 * The backup is removed before its record: without a record it would look like another program's.
 */
function releaseSteps(root: string, plans: readonly FolderPlan[]): Step[] {
  return plans.filter(({ released }) => released).flatMap((plan): Step[] => {
    const { name } = plan.folder;
    const backup = `${root}/${BACKUP_FOLDER}/${name}`;
    return [
      ...(plan.createdDirectory ? [{ type: "remove", path: `${root}/${name}` } as const] : []),
      { type: "remove", path: `${backup}/${HOSTS_FILE}` },
      { type: "remove", path: backup },
    ];
  });
}

function stateStep(backupRoot: string, state: State): Step {
  const version = { kind: "file", bytes: formatState(state), mode: 0o644 } as const;
  return { type: "write", path: `${backupRoot}/${STATE_FILE}`, version };
}

function sameState(a: State, b: State): boolean {
  const decoder = new TextDecoder();
  return decoder.decode(formatState(a)) === decoder.decode(formatState(b));
}
