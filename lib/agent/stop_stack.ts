import type { Log } from "../ports/log.ts";

/** Ends what was started, in reverse order. */
export class StopStack {
  readonly #log: Log;
  readonly #parts: { name: string; stop: () => Promise<void> | void }[] = [];
  #stopped: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A part that now runs, and how to end it. */
  push(name: string, stop: () => Promise<void> | void): void {
    this.#parts.push({ name, stop });
  }

  /** Ends all parts; one that fails is logged and does not keep the others from ending. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #stopAll(): Promise<void> {
    for (const { name, stop } of this.#parts.reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.warn("a part did not stop cleanly", { part: name, error });
      }
    }
  }
}
