import type { Cancellable } from "../ports/cancellable.ts";

/** Counts the requests that are being answered, their bodies included, and can break them. */
export class Transfers {
  readonly #breaker = new AbortController();
  #active = 0;
  #idle: (() => void)[] = [];

  /** How many are under way. */
  get active(): number {
    return this.#active;
  }

  /** Aborts when those that are under way are to end at once. */
  get signal(): AbortSignal {
    return this.#breaker.signal;
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
   * Waits until none is under way; when the signal aborts, breaks those that are left. Does not
   * reject.
   *
   * @returns how many were broken.
   */
  async drain({ signal }: Cancellable): Promise<number> {
    while (this.#active > 0 && !signal.aborted) await this.#wait(signal);
    const left = this.#active;
    if (left > 0) this.#breaker.abort(new Error("the registry stops"));
    return left;
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
