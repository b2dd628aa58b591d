import { temporaryIn, writeDurably } from "../files/write_durably.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import { type FileSystem, sameVersion } from "./file_system.ts";
import type { Change, ConfigurationPlan, ConfiguratorCollaborators, Step } from "./plan.ts";
import { formatState, STATE_FILE } from "./state.ts";

/**
 * Carries out a plan step by step. If an error or a crash stops it, the user's files are in place
 * or in the backup, each file is whole, and the next plan continues from there.
 *
 * @throws {ConfiguratorError} if a step fails; with `conflict` set if a file changed since the plan
 * was made, so that the caller should plan again.
 */
export async function applyConfiguration(
  { fileSystem }: ConfiguratorCollaborators,
  plan: ConfigurationPlan,
): Promise<void> {
  for (const step of plan.steps) await take(fileSystem, step);
}

async function take(fileSystem: FileSystem, step: Step): Promise<void> {
  switch (step.type) {
    case "make-directory":
      return await fileSystem.directory(step.path) === undefined
        ? await fileSystem.makeDirectory(step.path, step.mode)
        : undefined;
    case "begin":
      return await begin(fileSystem, step.path, formatState(step.state));
    case "end":
      return await end(fileSystem, step.path);
    case "write":
      return await writeDurably(fileSystem, step.path, step.version, step.through);
    case "change":
      return await change(fileSystem, step.change);
    case "remove":
      await fileSystem.remove(step.path);
      await fileSystem.sync(parentOf(step.path));
  }
}

/**
 * The directory is renamed into place with the state file already in it: without one it would be
 * taken for another program's backup.
 */
async function begin(
  fileSystem: FileSystem,
  path: string,
  state: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const temporary = temporaryIn(parentOf(path));
  await fileSystem.makeDirectory(temporary, 0o755);
  await fileSystem.create(`${temporary}/${STATE_FILE}`, {
    kind: "file",
    bytes: state,
    mode: 0o644,
  });
  await fileSystem.sync(temporary);
  await fileSystem.rename(temporary, path);
  await fileSystem.sync(parentOf(path));
}

async function end(fileSystem: FileSystem, path: string): Promise<void> {
  const temporary = temporaryIn(parentOf(path));
  await fileSystem.rename(path, temporary);
  await fileSystem.sync(parentOf(path));
  await fileSystem.remove(`${temporary}/${STATE_FILE}`);
  await fileSystem.remove(temporary);
  await fileSystem.sync(parentOf(path));
}

async function change(fileSystem: FileSystem, { path, before, after }: Change): Promise<void> {
  if (!sameVersion(await fileSystem.read(path), before, { modes: false })) {
    throw new ConfiguratorError({
      action: "change",
      path,
      reason: "it was changed concurrently",
      fix: "try again",
      conflict: true,
    });
  }
  if (after !== undefined) return await writeDurably(fileSystem, path, after);
  await fileSystem.remove(path);
  await fileSystem.sync(parentOf(path));
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
