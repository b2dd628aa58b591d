import { createHash } from "node:crypto";
import * as z from "zod";
import { ConfiguratorError } from "./configurator_error.ts";
import type { FileVersion } from "./file_system.ts";

/** State file in the backup directory. */
export const STATE_FILE = ".eddy.json";

const entrySchema = z.object({
  /** True if the backup holds an original; false if there was none before Eddy. */
  hasOriginal: z.boolean(),
  /** True if Eddy made the registry's folder. */
  createdDirectory: z.boolean(),
  /**
   * SHA-256 of what Eddy wrote. Two while one version replaces another, since a crash can leave
   * either.
   */
  written: z.array(z.string()).max(2),
  /**
   * Fingerprints of the user's parts in it outside of Eddy's block; missing in records of earlier
   * versions.
   */
  shown: z.record(z.string(), z.string()).optional(),
});

const stateSchema = z.object({
  version: z.literal(1),
  /** Number of levels of the configuration path that Eddy made. */
  createdLevels: z.number().int().min(0),
  /** Hosts that Eddy wrote last. */
  hosts: z.array(z.string()),
  /** By folder name. */
  registries: z.record(z.string(), entrySchema),
});

/** Eddy's changes to one registry's folder. */
export type StateEntry = z.infer<typeof entrySchema>;

/**
 * Eddy's changes to the configuration directory, recorded beside the backups. It is written before
 * the files it describes, so that after a crash Eddy's own output is never taken for the user's.
 */
export type State = z.infer<typeof stateSchema>;

/**
 * Parses a state file.
 *
 * @throws {ConfiguratorError} if it is damaged, or of a later version.
 */
export function parseState(bytes: Uint8Array, path: string): State {
  try {
    return stateSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new ConfiguratorError({
      action: "understand",
      path,
      reason: "it is damaged or was written by a later version of Eddy",
      fix:
        "use that version, or restore hosts.toml files from the directory it is in by hand and remove that directory",
      cause: error,
    });
  }
}

/** Renders a state file; the same state always gives the same bytes. */
export function formatState(state: State): Uint8Array<ArrayBuffer> {
  const registries = Object.fromEntries(
    Object.entries(state.registries).sort(([a], [b]) => a < b ? -1 : 1),
  );
  return new TextEncoder().encode(JSON.stringify({ ...state, registries }, null, 2) + "\n");
}

/** Fingerprint of a version; those of links and files never collide. */
export function fingerprint(version: FileVersion): string {
  const hash = createHash("sha256");
  if (version.kind === "link") return `link:${hash.update(version.target).digest("hex")}`;
  return hash.update(version.bytes).digest("hex");
}
