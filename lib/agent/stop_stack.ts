import type { Log } from "../ports/log.ts";

/** Stops what was started, in reverse order. */
export class StopStack {
  readonly #log: Log;
  readonly #parts: { name: string; stop: () => Promise<void> | void }[] = [];
  #stopped: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Adds a running part and its stop function. */
  push(name: string, stop: () => Promise<void> | void): void {
    this.#parts.push({ name, stop });
  }

  /** Stops all parts. A failure is logged, and the other parts are stopped all the same. */
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
