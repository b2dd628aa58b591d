import type { FileSystem, FileVersion } from "./file_system.ts";
import type { State } from "./state.ts";

/** The configurator's collaborators. */
export interface ConfiguratorCollaborators {
  readonly fileSystem: FileSystem;
}

/** A planned change of a file that containerd reads. */
export interface Change {
  /** Absolute path. */
  readonly path: string;
  /** Present version; undefined if there is none. */
  readonly before?: FileVersion | undefined;
  /** Version to write; undefined to remove the file. */
  readonly after?: FileVersion | undefined;
}

/** One step of a plan. */
export type Step =
  /** Makes a directory unless it exists. */
  | { readonly type: "make-directory"; readonly path: string; readonly mode: number }
  /** Creates the backup directory and its state file atomically. */
  | { readonly type: "begin"; readonly path: string; readonly state: State }
  /** Removes the backup directory and its state file atomically. */
  | { readonly type: "end"; readonly path: string }
  /**
   * Writes a file that containerd does not read; `through`: the directory in which a later run
   * finds what a crash leaves.
   */
  | {
    readonly type: "write";
    readonly path: string;
    readonly version: FileVersion;
    readonly through?: string;
  }
  /** Changes a file that containerd reads, unless it changed concurrently. */
  | { readonly type: "change"; readonly change: Change }
  /** Removes a file, or a directory if it is empty. */
  | { readonly type: "remove"; readonly path: string };

/** A plan; nothing has been changed yet. */
export interface ConfigurationPlan {
  /** Changes of files that containerd reads, sorted by path. */
  readonly changes: readonly Change[];
  /** Warnings for the user: folders that are left alone, and why. */
  readonly warnings: readonly string[];
  /**
   * All steps, including backups and records, in an order in which each may be the last. Empty:
   * nothing to do.
   */
  readonly steps: readonly Step[];
  /** Values that a diff must not show. */
  readonly secrets: readonly string[];
}
