import { untilAborted } from "../../async/until_aborted.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { VerifiedContent } from "./content_cache.ts";
import { Held, type HeldInit } from "./held.ts";

/** A blob that was got whole: a small one in one piece, or one whose memory is accounted for. */
export type WholeBlob = VerifiedContent | Held;

/** What whoever gets a blob says of how it went. */
export interface Lead {
  /** It is small: everybody gets the same. */
  small(content: VerifiedContent): VerifiedContent;
  /** It is in memory; returns it for whoever got it. */
  held(content: Omit<HeldInit, "readers">): Held;
  /**
   * Everybody is on his own, or, if whoever got it went away, the first of those who wait takes his
   * place; of no effect once it is known how it went.
   */
  end(options: { readonly isGivenUp: boolean }): void;
}

/** `given-up` if whoever got it went away; undefined if it is not shared, or nobody has it. */
type Outcome = WholeBlob | "given-up" | undefined;

interface Flight {
  readonly outcome: Promise<Outcome>;
  waiting: number;
}

/**
 * Lets those who want the same blob at about the same time share one answer of a peer, if it is one
 * that is got whole before anything of it is passed on. Whether it is, is known only when a peer has
 * answered; then everybody who wants another is on his own.
 */
export class SharedBlobs {
  readonly #flights = new Map<Digest, Flight>();

  /**
   * What somebody else gets just now, which has to be read or declined; if nobody does, or has
   * nothing to share, whoever asks is to get it, and to say how it went.
   *
   * @throws the signal's reason when it aborts.
   */
  async join(digest: Digest, { signal }: Cancellable): Promise<WholeBlob | Lead> {
    while (true) {
      const flight = this.#flights.get(digest);
      const outcome = flight && await follow(flight, signal);
      if (outcome === undefined) return this.lead(digest);
      if (outcome !== "given-up") return outcome;
    }
  }

  /** Gets it, whoever else does. */
  lead(digest: Digest): Lead {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const flight: Flight = { outcome: promise, waiting: 0 };
    this.#flights.set(digest, flight);
    const settle = <T extends Outcome>(outcome: T): T => {
      if (this.#flights.get(digest) === flight) this.#flights.delete(digest);
      resolve(outcome);
      return outcome;
    };
    return {
      small: settle,
      held: (content) => settle(new Held({ ...content, readers: 1 + flight.waiting })),
      end: ({ isGivenUp }) => void settle(isGivenUp ? "given-up" : undefined),
    };
  }
}

/** Tells what is given to somebody from the task of getting it. */
export function isLead(joined: WholeBlob | Lead): joined is Lead {
  return "end" in joined;
}

async function follow(flight: Flight, signal: AbortSignal): Promise<Outcome> {
  flight.waiting++;
  let isOver = false;
  flight.outcome.finally(() => isOver = true);
  try {
    return await untilAborted(flight.outcome, signal);
  } catch (error) {
    // One that is counted on as a reader has gone.
    if (!isOver) flight.waiting--;
    else flight.outcome.then((outcome) => outcome instanceof Held && outcome.decline(), () => {});
    throw error;
  }
}
