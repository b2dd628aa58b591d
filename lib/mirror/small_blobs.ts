import { untilAborted } from "../async/until_aborted.ts";
import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "../ports.ts";
import type { VerifiedContent } from "./content_cache.ts";

/**
 * How it went: the content; `given-up` if whoever got it went away; undefined if it is large, or
 * nobody has it.
 */
type Outcome = VerifiedContent | "given-up" | undefined;

/** Says how it went, once. */
export type Settle = (outcome: Outcome) => void;

/**
 * Lets those who want the same small blob (a config, say) at about the same time share one answer
 * of a peer. Whether a blob is small is known only when a peer has answered; then everybody who
 * wants a large one is on his own.
 */
export class SmallBlobs {
  readonly #leaders = new Map<Digest, Promise<Outcome>>();

  /**
   * What somebody else gets just now; if nobody does, or has nothing to share, whoever asks is to
   * get it: he has to call the function, once he knows how it went. When the one who gets it goes
   * away, the first of those who wait takes his place.
   *
   * @throws the signal's reason when it aborts.
   */
  async join(digest: Digest, { signal }: Cancellable): Promise<VerifiedContent | Settle> {
    while (true) {
      const leader = this.#leaders.get(digest);
      if (leader === undefined) return this.#lead(digest);
      const outcome = await untilAborted(leader, signal);
      if (outcome === undefined) return this.#lead(digest);
      if (outcome !== "given-up") return outcome;
    }
  }

  #lead(digest: Digest): Settle {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#leaders.set(digest, promise);
    return (outcome) => {
      if (this.#leaders.get(digest) === promise) this.#leaders.delete(digest);
      resolve(outcome);
    };
  }
}
