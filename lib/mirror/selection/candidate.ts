import type { Peer } from "../../ports/router.ts";

/** A peer to ask. The caller must release it when it is done with it. */
export interface Candidate {
  readonly peer: Peer;
  /** Ends the accounting of the request. */
  readonly release: () => void;
  /**
   * Set for a peer that was elected to get the content from upstream, or that follows one: the
   * number of nodes between it and upstream.
   */
  readonly depth?: number;
}

/** Settings of {@link Candidates.next}. */
export interface NextOptions {
  /** The stream to ask for; peers that are busy are skipped then. */
  readonly stream?: string | undefined;
  /** Other peers are being asked, and may still have the content. */
  readonly hedging?: boolean;
}
