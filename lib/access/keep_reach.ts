import * as z from "zod";
import { ifPresent } from "../files/if_present.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import type { Runtime } from "../ports/runtime.ts";
import { keepFile, type KeepOptions } from "./keep_file.ts";
import type { RuntimeReach } from "./runtime_reach.ts";

const MAX_FILE_BYTES = 1024 * 1024;
const fileSchema = z.object({
  registries: z.array(z.object({
    registry: z.string().max(512),
    reachedAt: z.number().optional(),
    retryAt: z.number().optional(),
    pauseMs: z.number(),
  })).max(1024),
});

/** What {@link keepReach} works with. */
export interface KeepReachCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly reach: RuntimeReach;
}

/**
 * Writes when which registry answered, and which the runtime did not reach either: an agent that
 * starts during an outage then serves tags at once. Does not reject.
 */
export async function keepReach(
  { reach, clock, log }: KeepReachCollaborators,
  options: KeepOptions,
): Promise<void> {
  const knowledge = {
    name: "the list of registries",
    revision: () => reach.revision,
    text: () => `${JSON.stringify({ registries: reach.kept() })}\n`,
  };
  await keepFile(knowledge, { clock, log }, options);
}

/** Adds what {@link keepReach} wrote earlier. Does not reject. */
export async function loadReach(
  { reach, log }: Omit<KeepReachCollaborators, "clock">,
  path: string,
): Promise<void> {
  try {
    const text = await ifPresent(readSmallFile(path, MAX_FILE_BYTES));
    if (text !== undefined) reach.restore(fileSchema.parse(JSON.parse(text)).registries);
  } catch (error) {
    log.warn("the list of registries could not be read", { path, error });
  }
}
