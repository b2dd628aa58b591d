import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "./cancellable.ts";

/** What is to be kept after a renewal. */
export interface Wanted {
  /** Is to be kept in any case. */
  readonly added: Iterable<Digest>;
  /**
   * Was kept: it is kept again if that ended by itself or by a stranger, and not if another agent of
   * this node has released it.
   */
  readonly recorded: Iterable<Digest>;
}

/**
 * Keeps content that nothing else in the store refers to, until some time after the last renewal:
 * an agent that is gone for good leaves nothing behind. Agents of one node share what is kept.
 * Methods reject if the store gives no answer.
 */
export interface Leases {
  /** How long content is kept without a renewal, ms. */
  readonly lifetimeMs: number;
  /** Keeps content, which need not be there yet. */
  keep(digest: Digest, options: Cancellable): Promise<void>;
  /** Stops keeping content; what is not kept is ignored. */
  release(digest: Digest, options: Cancellable): Promise<void>;
  /**
   * Prolongs what is kept, once half of the lifetime is over, and keeps what is wanted besides. What
   * would last longer than a lifetime, since the node's time was set back, is made to end in time.
   *
   * @returns all that is kept now, also what other agents of this node keep.
   */
  renew(wanted: Wanted, options: Cancellable): Promise<ReadonlySet<Digest>>;
  /**
   * Stops keeping everything, for all agents of this node.
   *
   * @returns the store's names of what has ended.
   */
  end(options: Cancellable): Promise<readonly string[]>;
}
