import type { Clock } from "../ports/clock.ts";

/**
 * The most proofs that are remembered; a node asks another a few hundred times a second at most.
 */
const MAX_USED = 200_000;
/** If the time of day is set back by so much, old proofs may be valid again, ms. */
const SET_BACK_MS = 5_000;

/** What {@link UsedProofs} work with. */
export interface UsedProofsCollaborators {
  readonly clock: Pick<Clock, "now">;
  /** Time of day, ms since 1970. */
  readonly today: () => number;
}

/** Settings of {@link UsedProofs}. */
export interface UsedProofsOptions {
  /** How long a proof may be valid after it was used, ms, unless the time of day is set back. */
  readonly goodForMs: number;
  /** Proofs that are remembered; default 200,000. */
  readonly max?: number;
}

/**
 * Lets each proof be used once. A proof names the term for which it is made. A node chooses its
 * term at random when it starts, so proofs from before are not valid, although they are not
 * remembered. Another term begins when more proofs were used than can be remembered, and when the
 * time of day is set back.
 */
export class UsedProofs {
  readonly #collaborators: UsedProofsCollaborators;
  readonly #keptMs: number;
  readonly #max: number;
  /** Until when each is remembered, the oldest first. */
  readonly #used = new Map<string, number>();
  #term = crypto.randomUUID();
  /** The most by which the time of day was ahead of the clock in this term, ms. */
  #ahead = -Infinity;

  constructor(collaborators: UsedProofsCollaborators, options: UsedProofsOptions) {
    this.#collaborators = collaborators;
    this.#keptMs = options.goodForMs + SET_BACK_MS;
    this.#max = options.max ?? MAX_USED;
  }

  /** The term, which proofs must name. */
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
