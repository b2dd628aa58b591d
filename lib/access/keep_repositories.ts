import * as z from "zod";
import { ifPresent } from "../files/if_present.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import { isDigest } from "../oci/digest.ts";
import type { Runtime } from "../ports/runtime.ts";
import { keepFile, type KeepOptions } from "./keep_file.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Entry } from "./repository_content.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_NAMES = 60_000;

const nameSchema = z.string().max(512);
const entriesSchema = z.array(z.tuple([nameSchema, z.string().max(256)])).max(MAX_NAMES).default(
  [],
);
/** Earlier versions wrote `private` alone. */
const fileSchema = z.object({
  private: z.array(nameSchema).max(MAX_NAMES),
  /** With the time when upstream last gave something of it to anonymous clients, ms since 1970. */
  public: z.array(z.tuple([nameSchema, z.number()])).max(MAX_NAMES).default([]),
  /** Content that is in several repositories, and one that has it, as upstream said. */
  proofs: entriesSchema,
  /** The same content, and repositories that name it. */
  claims: entriesSchema,
});

/** What a node knows of repositories, in its file format. */
export type KnownRepositories = z.output<typeof fileSchema>;

/** What {@link keepRepositories} works with. */
export interface KeepCollaborators extends Knowledge, Pick<Runtime, "clock" | "log"> {
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/**
 * Writes which repositories are private and which are public, whenever that has changed, until the
 * signal aborts. A node that starts during an outage of upstream must not take the former for
 * public, and must serve the latter. A file that cannot be written is logged. Does not reject.
 */
export async function keepRepositories(
  { repositories, content, clock, log, today = Date.now }: KeepCollaborators,
  options: KeepOptions,
): Promise<void> {
  const knowledge = {
    name: "the list of repositories",
    revision: () => `${repositories.revision} ${content.revision}`,
    text: () => `${JSON.stringify(knownRepositories({ repositories, content }, today()))}\n`,
  };
  await keepFile(knowledge, { clock, log }, options);
}

/**
 * Adds what {@link keepRepositories} wrote earlier. If the file cannot be read, its repositories
 * are unknown, and not served to outsiders, until upstream has been asked. Does not reject.
 */
export async function loadRepositories(
  { repositories, content, log, today = Date.now }: Omit<KeepCollaborators, "clock">,
  path: string,
): Promise<void> {
  try {
    const text = await ifPresent(readSmallFile(path, MAX_FILE_BYTES));
    if (text === undefined) return;
    const file = fileSchema.parse(JSON.parse(text));
    restoreRepositories({ repositories, content }, file, today());
  } catch (error) {
    const effect = "held content is kept from other nodes until upstream has been asked about it";
    log.warn("the list of repositories could not be read", { path, effect, error });
  }
}

/** What a node knows, at a time of day, ms since 1970. */
export function knownRepositories(
  { repositories, content }: Knowledge,
  now: number,
): KnownRepositories {
  const kept = repositories.kept();
  const { proofs, claims } = content.kept();
  return {
    private: kept.private.slice(0, MAX_NAMES),
    public: kept.public.map(([name, ageMs]) => [name, Math.floor(now - ageMs)]),
    proofs: proofs.map(([name, digest]) => [name, digest]),
    claims: claims.map(([name, digest]) => [name, digest]),
  };
}

/** Adds what a node knew, at a later time of day. */
export function restoreRepositories(
  { repositories, content }: Knowledge,
  known: KnownRepositories,
  now: number,
): void {
  repositories.restore({
    private: known.private,
    // The time of a clock that was ahead does not tell the age.
    public: known.public.map(([name, at]) => [name, at > now ? now : now - at]),
  });
  content.restore({ proofs: known.proofs.filter(isEntry), claims: known.claims.filter(isEntry) });
}

function isEntry(entry: readonly [string, string]): entry is Entry & [string, string] {
  return isDigest(entry[1]);
}
