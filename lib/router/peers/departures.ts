import type { Clock } from "../../ports/clock.ts";

/** As long as records of a departed peer may turn up: other nodes may have missed its goodbye. */
const REMEMBERED_MS = 20 * 60_000;
/** Bounded, since identities cost nothing. */
const MAX_REMEMBERED = 1024;

/** Peers that announced their departure, until they return. */
export class Departures {
  readonly #clock: Pick<Clock, "now">;
  /** Id of the peer and its expiry; oldest first. */
  readonly #until = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  add(id: string): void {
    this.#until.delete(id);
    const [oldest] = this.#until.keys();
    if (this.#until.size >= MAX_REMEMBERED && oldest !== undefined) this.#until.delete(oldest);
    this.#until.set(id, this.#clock.now() + REMEMBERED_MS);
  }

  delete(id: string): void {
    this.#until.delete(id);
  }

  /** Tells whether the peer left and has not returned. */
  has(id: string): boolean {
    const until = this.#until.get(id);
    if (until === undefined) return false;
    if (until > this.#clock.now()) return true;
    this.#until.delete(id);
    return false;
  }
}
