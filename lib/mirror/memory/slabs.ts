import { type Link, link } from "../../async/link.ts";
import type { Clock } from "../../ports/clock.ts";

/** Bytes of a slab. */
export const SLAB_BYTES = 1024 * 1024;
/**
 * Bytes that are asked for at once, of which only those in use are resident: from this size on the C
 * library takes memory from the system and gives it back. Smaller pieces it would keep.
 */
const REGION_BYTES = 32 * SLAB_BYTES;
/** Memory that was not used for this time is given back to the system, ms. */
const IDLE_MS = 5_000;

type Slab = Uint8Array<ArrayBuffer>;

/**
 * Memory in pieces of one size that are reused: new pages cost the kernel and the garbage collector
 * more than to receive, hash and send the bytes. No view of a slab may outlive its use.
 */
export class Slabs {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #regions: ArrayBuffer[] = [];
  /** The next one is the last. */
  readonly #free: Slab[] = [];
  #taken = 0;
  #idle: Link | undefined;

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  take(): Slab {
    this.#taken++;
    this.#idle?.abort();
    return this.#free.pop() ?? this.#grow();
  }

  give(slab: Slab): void {
    this.#free.push(slab);
    if (--this.#taken === 0) this.#dropLater();
  }

  /** Gives the memory back to the system, as soon as none of it is in use. */
  close(): void {
    this.#idle?.abort();
    this.#free.length = 0;
    const regions = this.#regions.splice(0);
    // Else the garbage collector does, when the last slab is not used any more.
    if (this.#taken === 0) { for (const region of regions) region.transfer(0); }
  }

  /** Asks for another region; returns its first slab. */
  #grow(): Slab {
    const region = new ArrayBuffer(REGION_BYTES);
    this.#regions.push(region);
    for (let at = REGION_BYTES - SLAB_BYTES; at > 0; at -= SLAB_BYTES) {
      this.#free.push(new Uint8Array(region, at, SLAB_BYTES));
    }
    return new Uint8Array(region, 0, SLAB_BYTES);
  }

  #dropLater(): void {
    const idle = this.#idle = link();
    this.#clock.sleep(IDLE_MS, idle).then(() => this.close(), () => {});
  }
}
