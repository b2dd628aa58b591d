import type { FileSystem, FileVersion } from "./file_system.ts";
import type { State } from "./state.ts";

/** The configurator's collaborators. */
export interface ConfiguratorCollaborators {
  readonly fileSystem: FileSystem;
}

/** A file that containerd reads and that is to change. */
export interface Change {
  /** Absolute path. */
  readonly path: string;
  /** What stands there; undefined if nothing does. */
  readonly before?: FileVersion;
  /** What shall stand there; undefined if nothing shall. */
  readonly after?: FileVersion;
}

/** One step of carrying out a plan. */
export type Step =
  /** Makes a directory unless it is there. */
  | { readonly type: "make-directory"; readonly path: string; readonly mode: number }
  /** Makes the backup directory appear with a state file in it, at once. */
  | { readonly type: "begin"; readonly path: string; readonly state: State }
  /** Makes the backup directory disappear with its state file, at once. */
  | { readonly type: "end"; readonly path: string }
  /** Writes a file that is not containerd's; `through`: where what a crash leaves will be found. */
  | {
    readonly type: "write";
    readonly path: string;
    readonly version: FileVersion;
    readonly through?: string;
  }
  /** Changes a file that containerd reads, unless someone else did so meanwhile. */
  | { readonly type: "change"; readonly change: Change }
  /** Removes a file, or a directory if it is empty. */
  | { readonly type: "remove"; readonly path: string };

/** What there is to do, and what there is to say about it. Nothing has been changed yet. */
export interface ConfigurationPlan {
  readonly configPath: string;
  /** Changes of files that containerd reads, in the order of their paths. */
  readonly changes: readonly Change[];
  /** What a person should know: folders that are left alone, and why. */
  readonly warnings: readonly string[];
  /** All steps, backups and records included, in an order in which each may be the last. Empty: nothing to do. */
  readonly steps: readonly Step[];
  /** Values that a diff must not show. */
  readonly secrets: readonly string[];
}
