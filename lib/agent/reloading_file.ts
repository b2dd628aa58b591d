import { inBackground } from "../async/in_background.ts";
import { messageOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";

/** How often a file is reread, ms: secrets are replaced while nodes run. */
export const REREAD_MS = 5000;

/** What a {@link ReloadingFile} works with. */
export interface ReloadingFileInit {
  /** Reads the file and applies changes; throws if the file is missing or invalid. */
  readonly read: () => Promise<void>;
  /** Called with the reason of a failure, once per reason. */
  readonly onProblem: (reason: string) => void;
}

/**
 * A file, or several that belong together, reread while the agent runs. While it is missing or
 * invalid, the last content stays in force: a broken mount must neither open a node nor lock it.
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

  /** Rereads the file, unless it was read a moment ago. Does not reject. */
  async refresh(): Promise<void> {
    if (this.#clock.now() - this.#readAt >= REREAD_MS) await this.#read();
  }

  /**
   * Rereads the file in the background.
   *
   * @param onEnd called if this ends unexpectedly.
   * @returns a function that stops it.
   */
  follow(onEnd: (error: unknown) => void): () => Promise<void> {
    return inBackground((options) => this.#follow(options), onEnd);
  }

  async #follow(options: Cancellable): Promise<void> {
    while (true) {
      await this.#clock.sleep(REREAD_MS, options);
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
