import { type Link, link } from "../../async/link.ts";
import type { Clock } from "../../ports/clock.ts";

/** Bytes of a slab. */
export const SLAB_BYTES = 1024 * 1024;
/** Memory that nobody used for so long is given back to the system, ms. */
const IDLE_MS = 5_000;

type Slab = Uint8Array<ArrayBuffer>;

/**
 * Memory in pieces of one size that are used again and again: making fresh pages ready costs the
 * kernel and the collector more than to get, hash and send the bytes. Nothing that was handed to
 * anybody else may point into it.
 */
export class Slabs {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #free: Slab[] = [];
  #taken = 0;
  #idle: Link | undefined;

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  take(): Slab {
    this.#taken++;
    this.#idle?.abort();
    return this.#free.pop() ?? new Uint8Array(SLAB_BYTES);
  }

  give(slab: Slab): void {
    this.#free.push(slab);
    if (--this.#taken === 0) this.#dropLater();
  }

  /** Gives what is not in use back to the system. */
  close(): void {
    this.#idle?.abort();
    for (const { buffer } of this.#free.splice(0)) buffer.transfer(0);
  }

  #dropLater(): void {
    const idle = this.#idle = link();
    this.#clock.sleep(IDLE_MS, idle).then(() => this.close(), () => {});
  }
}
