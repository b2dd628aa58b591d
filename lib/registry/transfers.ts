import type { Cancellable } from "../ports.ts";

/** Counts the requests that are being answered, their bodies included. */
export class Transfers {
  #active = 0;
  #idle: (() => void)[] = [];

  /** How many are under way. */
  get active(): number {
    return this.#active;
  }

  /** One begins. The returned function ends it and may be called more than once. */
  begin(): () => void {
    this.#active++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#active--;
      if (this.#active === 0) this.#idle.splice(0).forEach((wake) => wake());
    };
  }

  /**
   * Waits until none is under way or the signal aborts, whichever is first; does not reject.
   *
   * @returns how many are still under way.
   */
  async drain({ signal }: Cancellable): Promise<number> {
    while (this.#active > 0 && !signal.aborted) await this.#wait(signal);
    return this.#active;
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#idle = this.#idle.filter((other) => other !== wake);
        resolve();
      };
      signal.addEventListener("abort", wake, { once: true });
      this.#idle.push(wake);
    });
  }
}
