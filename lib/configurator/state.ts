import { createHash } from "node:crypto";
import * as z from "zod";
import { ConfiguratorError } from "./configurator_error.ts";
import type { FileVersion } from "./file_system.ts";

/** Name of the state file in the backup directory. */
export const STATE_FILE = ".eddy.json";

const entrySchema = z.object({
  /** True if the backup holds what stood there before Eddy; false if nothing did. */
  hasOriginal: z.boolean(),
  /** True if Eddy made the registry's folder. */
  createdDirectory: z.boolean(),
  /**
   * SHA-256 of what Eddy wrote. Two while one is replaced by another, since a crash can leave
   * either; never more.
   */
  written: z.array(z.string()).max(2),
  /**
   * Parts of the user's file that stood in it outside of Eddy's block, with fingerprints; missing in
   * records of earlier versions.
   */
  shown: z.record(z.string(), z.string()).optional(),
});

const stateSchema = z.object({
  version: z.literal(1),
  /** How many levels of the configuration path Eddy made. */
  createdLevels: z.number().int().min(0),
  /** Hosts that Eddy wrote last. */
  hosts: z.array(z.string()),
  /** By folder name. */
  registries: z.record(z.string(), entrySchema),
});

/** What Eddy did to one registry's folder. */
export type StateEntry = z.infer<typeof entrySchema>;

/**
 * What Eddy did to the configuration directory; kept beside the backups. It is written before the
 * files that it speaks of, so that after a crash Eddy's own output is never taken for the user's.
 */
export type State = z.infer<typeof stateSchema>;

/**
 * Reads a state file.
 *
 * @throws {ConfiguratorError} if it is not one, or of a later version.
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

/** The state file's content; the same state always gives the same bytes. */
export function formatState(state: State): Uint8Array<ArrayBuffer> {
  const registries = Object.fromEntries(
    Object.entries(state.registries).sort(([a], [b]) => a < b ? -1 : 1),
  );
  return new TextEncoder().encode(JSON.stringify({ ...state, registries }, null, 2) + "\n");
}

/** Fingerprint of a file's content; a link never has that of a file. */
export function fingerprint(version: FileVersion): string {
  const hash = createHash("sha256");
  if (version.kind === "link") return `link:${hash.update(version.target).digest("hex")}`;
  return hash.update(version.bytes).digest("hex");
}
