import type { Peer } from "../../ports/router.ts";

/** A peer to ask. Whoever takes it has to release it when it is done with it. */
export interface Candidate {
  readonly peer: Peer;
  /** Ends the accounting of the request. */
  readonly release: () => void;
  /**
   * Set if it was elected to get it from upstream, or follows one that was: how many nodes are
   * between it and upstream.
   */
  readonly depth?: number;
}

/** What {@link Candidates.next} is asked for. */
export interface NextOptions {
  /** What is to be asked for, if peers that are busy are not to be asked for it. */
  readonly stream?: string | undefined;
  /** Others are being asked and may still have it. */
  readonly hedging?: boolean;
}
