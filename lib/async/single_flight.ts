import type { Cancellable } from "../ports/cancellable.ts";
import { type Link, link } from "./link.ts";
import { untilAborted } from "./until_aborted.ts";

interface Flight<T> {
  readonly result: Promise<T>;
  readonly life: Link;
  waiting: number;
}

/** Lets concurrent callers with the same key share one piece of work. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * Runs the work, or joins it if it is in progress. The work is aborted once no caller waits for
   * it.
   *
   * @throws what the work throws, or the signal's reason when it aborts.
   */
  async run(
    key: string,
    { signal }: Cancellable,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    flight.waiting++;
    try {
      return await untilAborted(flight.result, signal);
    } finally {
      if (--flight.waiting === 0) {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.life.abort(signal.reason);
      }
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const life = link();
    const flight = { result: work(life.signal), life, waiting: 0 };
    // All callers may have left before it fails.
    flight.result.catch(() => {});
    this.#flights.set(key, flight);
    return flight;
  }
}
