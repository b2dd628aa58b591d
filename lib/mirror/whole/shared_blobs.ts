import { untilAborted } from "../../async/until_aborted.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { VerifiedContent } from "./content_cache.ts";
import { Held, type HeldInit } from "./held.ts";

/** A blob in memory: a small one in one piece, or one that counts against the memory budget. */
export type WholeBlob = VerifiedContent | Held;

/** The task of getting a blob for all that wait for it, which reports its outcome. */
export interface Lead {
  /** The blob is small: all get the same bytes. */
  small(content: VerifiedContent): VerifiedContent;
  /** The blob is in memory; returned for the lead itself. */
  held(content: Omit<HeldInit, "readers">): Held;
  /**
   * The blob is not shared: all that wait get it themselves. If the lead's client went away, the
   * first of those that wait becomes the lead. No effect after an outcome was reported.
   */
  end(options: { readonly isGivenUp: boolean }): void;
}

/**
 * `given-up` if the lead's client went away; undefined if the blob is not shared, or was not found.
 */
type Outcome = WholeBlob | "given-up" | undefined;

interface Flight {
  readonly outcome: Promise<Outcome>;
  waiting: number;
}

/**
 * Lets concurrent requests for the same blob share one answer of a peer, if the blob is verified
 * whole before any of it is passed on. Whether it is, is known only when a peer has answered; if
 * not, each request gets the blob itself.
 */
export class SharedBlobs {
  readonly #flights = new Map<Digest, Flight>();

  /**
   * The blob that another request is getting, which must be read or declined. If there is none, or
   * it cannot be shared, the caller becomes the lead: it gets the blob, and reports the outcome.
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

  /** Becomes a lead, also if another request gets the blob. */
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

/** Tells a lead from a blob. */
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
    // One of the counted readers has gone.
    if (!isOver) flight.waiting--;
    else flight.outcome.then((outcome) => outcome instanceof Held && outcome.decline(), () => {});
    throw error;
  }
}
