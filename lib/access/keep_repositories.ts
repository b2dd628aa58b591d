import { z } from "zod";
import { replaceFile } from "../files/write_durably.ts";
import type { Cancellable, Clock, Log } from "../ports.ts";
import type { Repositories } from "./repositories.ts";

/** How often a changed list is written, ms. */
const SAVE_INTERVAL_MS = 5_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const fileSchema = z.object({ private: z.array(z.string().max(512)).max(10_000) });

/** Settings of {@link keepRepositories}. */
export interface KeepOptions extends Cancellable {
  /** The file; its directory is made if it is missing. */
  readonly path: string;
}

/**
 * Reads which repositories were found to be private, and writes the list whenever it has changed,
 * until the signal aborts: a node that starts while upstream is away must not take them for public.
 * A file that cannot be read or written is logged and done without. Does not reject.
 */
export async function keepRepositories(
  repositories: Repositories,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { path, signal }: KeepOptions,
): Promise<void> {
  let saved = repositories.revision;
  const saveIfChanged = async () => {
    const { revision } = repositories;
    if (revision === saved) return;
    try {
      await write(path, { private: repositories.learnedPrivate() });
      saved = revision;
    } catch (error) {
      log.warn("the list of private repositories could not be written", { path, error });
    }
  };
  while (!signal.aborted) {
    await clock.sleep(SAVE_INTERVAL_MS, { signal }).catch(() => {});
    await saveIfChanged();
  }
}

/** Adds what {@link keepRepositories} wrote earlier. Does not reject. */
export async function loadRepositories(
  repositories: Repositories,
  { log }: { readonly log: Log },
  path: string,
): Promise<void> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes`);
    const file = fileSchema.parse(JSON.parse(await Deno.readTextFile(path)));
    for (const name of file.private) repositories.learn(name, "private");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    log.warn("the list of private repositories could not be read", { path, error });
  }
}

async function write(path: string, content: z.infer<typeof fileSchema>): Promise<void> {
  await replaceFile(path, `${JSON.stringify(content)}\n`, { mode: 0o600, directoryMode: 0o700 });
}
