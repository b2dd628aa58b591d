import { link } from "../../async/link.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";

/** Memory that was taken. */
export interface Room {
  /** Gives a part of it back, bytes. */
  give(bytes: number): void;
  /** Gives back what is left of it; may be called more than once. */
  close(): void;
}

/** Settings of {@link MemoryBudget.take}. */
export interface TakeOptions extends Cancellable {
  /** The party that shares memory fairly with others, such as a client by its address. */
  readonly flow: string;
  /** How long to wait for room, ms. */
  readonly waitMs: number;
}

interface Waiter {
  readonly bytes: number;
  readonly flow: string;
  readonly since: number;
  readonly go: (room: Room) => void;
}

/** How long a waiting taker may be overtaken by smaller ones, ms; then they wait as well. */
const PASSED_FOR_MS = 1000;

/** Settings of {@link MemoryBudget}. */
export interface MemoryBudgetOptions {
  readonly totalBytes: number;
  /** Gives back memory that can be spared, when there is too little; false if there is none. */
  readonly spare?: () => boolean;
}

/**
 * A shared amount of memory. Each taker gets all that it needs at once, or waits: so takers never
 * deadlock with a part of it. The flow that has least is served next.
 */
export class MemoryBudget {
  readonly totalBytes: number;
  readonly #clock: Clock;
  readonly #spare: () => boolean;
  readonly #takenBy = new Map<string, number>();
  #freeBytes: number;
  #waiting: Waiter[] = [];

  constructor(clock: Clock, { totalBytes, spare = () => false }: MemoryBudgetOptions) {
    this.#clock = clock;
    this.#spare = spare;
    this.totalBytes = this.#freeBytes = totalBytes;
  }

  /** Whether a taker waits for room. */
  get isShort(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Takes so many bytes; undefined if there is no room for them in time.
   *
   * @throws the signal's reason when it aborts.
   */
  async take(bytes: number, { flow, waitMs, signal }: TakeOptions): Promise<Room | undefined> {
    signal.throwIfAborted();
    if (bytes > this.totalBytes) return undefined;
    while (bytes > this.#freeBytes && this.#spare());
    if (this.#waiting.length === 0 && bytes <= this.#freeBytes) return this.#give(bytes, flow);
    const { promise, resolve } = Promise.withResolvers<void>();
    let room: Room | undefined;
    const go = (given: Room) => {
      room = given;
      resolve();
    };
    const waiter = { bytes, flow, since: this.#clock.now(), go };
    this.#waiting.push(waiter);
    this.#serve();
    using timer = link(signal);
    try {
      await Promise.race([promise, this.#clock.sleep(waitMs, timer).catch(() => {})]);
      if (signal.aborted) room?.close();
      signal.throwIfAborted();
      return room;
    } finally {
      timer.abort();
      this.#leave(waiter);
      // Takers that this one held up may fit.
      this.#serve();
    }
  }

  #give(bytes: number, flow: string): Room {
    this.#freeBytes -= bytes;
    this.#takenBy.set(flow, (this.#takenBy.get(flow) ?? 0) + bytes);
    let left = bytes;
    const give = (some: number) => {
      const given = Math.min(some, left);
      if (given <= 0) return;
      left -= given;
      this.#freeBytes += given;
      const taken = (this.#takenBy.get(flow) ?? 0) - given;
      if (taken > 0) this.#takenBy.set(flow, taken);
      else this.#takenBy.delete(flow);
      this.#serve();
    };
    return { give, close: () => give(left) };
  }

  #leave(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
  }

  #serve(): void {
    const taken = ({ flow }: Waiter) => this.#takenBy.get(flow) ?? 0;
    for (let served = true; served;) {
      served = false;
      for (const waiter of this.#waiting.toSorted((one, other) => taken(one) - taken(other))) {
        if (waiter.bytes <= this.#freeBytes) {
          this.#leave(waiter);
          waiter.go(this.#give(waiter.bytes, waiter.flow));
          served = true;
          break;
        }
        if (this.#clock.now() - waiter.since >= PASSED_FOR_MS) break;
      }
    }
  }
}
