import { replaceFile } from "../files/write_durably.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";

/** How often changed knowledge is written, ms. */
const SAVE_INTERVAL_MS = 5_000;

/** Knowledge that is to survive a restart. */
export interface KeptKnowledge {
  /** For the log, such as `the list of repositories`. */
  readonly name: string;
  /** Changes with the knowledge. */
  revision(): string | number;
  /** What is written. */
  text(): string;
}

/** Settings of {@link keepFile}. */
export interface KeepOptions extends Cancellable {
  /** The file; its directory is made if it is missing. */
  readonly path: string;
}

/**
 * Writes knowledge to a file whenever it has changed, and once more when the signal aborts. A file
 * that cannot be written is logged. Does not reject.
 */
export async function keepFile(
  { name, revision, text }: KeptKnowledge,
  { clock, log }: Pick<Runtime, "clock" | "log">,
  { path, signal }: KeepOptions,
): Promise<void> {
  let saved = revision();
  const saveIfChanged = async () => {
    const current = revision();
    if (current === saved) return;
    try {
      await replaceFile(path, text(), { mode: 0o600, directoryMode: 0o700 });
      saved = current;
    } catch (error) {
      log.warn(`${name} could not be written`, { path, error });
    }
  };
  while (!signal.aborted) {
    await clock.sleep(SAVE_INTERVAL_MS, { signal }).catch(() => {});
    await saveIfChanged();
  }
}
