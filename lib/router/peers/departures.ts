import type { Clock } from "../../ports/clock.ts";

/** As long as records of a peer that left may turn up: others may not have heard its goodbye. */
const REMEMBERED_MS = 20 * 60_000;
/** Peers that are remembered; identities cost nothing, so there must be a limit. */
const MAX_REMEMBERED = 1024;

/** Peers that said that they leave, until they come back. */
export class Departures {
  readonly #clock: Pick<Clock, "now">;
  /** Id of the peer and when to forget it; the eldest first. */
  readonly #until = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** The peer leaves. */
  add(id: string): void {
    this.#until.delete(id);
    const [eldest] = this.#until.keys();
    if (this.#until.size >= MAX_REMEMBERED && eldest !== undefined) this.#until.delete(eldest);
    this.#until.set(id, this.#clock.now() + REMEMBERED_MS);
  }

  /** The peer is back. */
  delete(id: string): void {
    this.#until.delete(id);
  }

  /** Tells whether the peer left and is not back. */
  has(id: string): boolean {
    const until = this.#until.get(id);
    if (until === undefined) return false;
    if (until > this.#clock.now()) return true;
    this.#until.delete(id);
    return false;
  }
}
