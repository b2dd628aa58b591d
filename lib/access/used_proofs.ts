import type { Clock } from "../ports/clock.ts";

/** Proofs that are remembered; a node asks another a few hundred times a second at most. */
const MAX_USED = 200_000;
/** Time of day that is set back by so much may make old proofs good again, ms. */
const SET_BACK_MS = 5_000;

/** What {@link UsedProofs} work with. */
export interface UsedProofsCollaborators {
  readonly clock: Pick<Clock, "now">;
  /** Time of day, ms since 1970. */
  readonly today: () => number;
}

/** Settings of {@link UsedProofs}. */
export interface UsedProofsOptions {
  /** How long a proof may be good after it was used, ms, by a time of day that goes on evenly. */
  readonly goodForMs: number;
  /** Proofs that are remembered; default 200,000. */
  readonly max?: number;
}

/**
 * Lets each proof be used once. Proofs name the term that they are made for, which a node chooses at
 * random when it starts: what was used before that is good for nothing, though nobody remembers it.
 * So it is when more were used than can be remembered, and when the time of day is set back: another
 * term begins.
 */
export class UsedProofs {
  readonly #collaborators: UsedProofsCollaborators;
  readonly #keptMs: number;
  readonly #max: number;
  /** Until when each is remembered, the eldest first. */
  readonly #used = new Map<string, number>();
  #term = crypto.randomUUID();
  /** By how much the time of day was ahead of the clock at most in this term, ms. */
  #ahead = -Infinity;

  constructor(collaborators: UsedProofsCollaborators, options: UsedProofsOptions) {
    this.#collaborators = collaborators;
    this.#keptMs = options.goodForMs + SET_BACK_MS;
    this.#max = options.max ?? MAX_USED;
  }

  /** What proofs have to name. */
  get term(): string {
    const { clock, today } = this.#collaborators;
    const ahead = today() - clock.now();
    if (ahead < this.#ahead - SET_BACK_MS) this.#begin();
    this.#ahead = Math.max(this.#ahead, ahead);
    return this.#term;
  }

  /** Uses a proof: false if it was used before, or is not of this term. */
  use(id: string, term: unknown): boolean {
    if (term !== this.term || this.#used.has(id)) return false;
    const now = this.#collaborators.clock.now();
    for (const [id, until] of this.#used) {
      if (until > now) break;
      this.#used.delete(id);
    }
    if (this.#used.size >= this.#max) {
      this.#begin();
      return false;
    }
    this.#used.set(id, now + this.#keptMs);
    return true;
  }

  #begin(): void {
    this.#term = crypto.randomUUID();
    this.#used.clear();
    this.#ahead = -Infinity;
  }
}
