import { messageOf } from "../async/thrown.ts";
import type { Clock } from "../ports/clock.ts";

/** How often a file is read again, ms: secrets are replaced while nodes run. */
export const REREAD_MS = 5000;

/** What a {@link ReloadingFile} works with. */
export interface ReloadingFileInit {
  /** Reads the file and puts what is new into force; throws if it is gone or bad. */
  readonly read: () => Promise<void>;
  /** Tells why that failed; not again while the reason is the same. */
  readonly onProblem: (reason: string) => void;
}

/**
 * A file, or some that belong together, read again while the agent runs. While it is gone or bad,
 * what was read last stays in force: a broken mount must not open a node, nor lock it out.
 */
export class ReloadingFile {
  readonly #clock: Clock;
  readonly #init: ReloadingFileInit;
  #readAt = -Infinity;
  #problem = "";

  constructor(clock: Clock, init: ReloadingFileInit) {
    this.#clock = clock;
    this.#init = init;
  }

  /** Reads it, unless that was done a moment ago. Does not reject. */
  async refresh(): Promise<void> {
    if (this.#clock.now() - this.#readAt >= REREAD_MS) await this.#read();
  }

  /**
   * Reads it again and again in the background.
   *
   * @param onEnd called should that end by itself.
   * @returns how to end it.
   */
  follow(onEnd: (error: unknown) => void): () => Promise<void> {
    const stop = new AbortController();
    const followed = this.#follow(stop.signal).catch((error) => {
      if (!stop.signal.aborted) onEnd(error);
    });
    return () => {
      stop.abort();
      return followed;
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (true) {
      await this.#clock.sleep(REREAD_MS, { signal });
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    this.#readAt = this.#clock.now();
    let problem = "";
    try {
      await this.#init.read();
    } catch (error) {
      problem = messageOf(error);
    }
    if (problem !== "" && problem !== this.#problem) this.#init.onProblem(problem);
    this.#problem = problem;
  }
}
