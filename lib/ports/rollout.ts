import type { Cancellable } from "./cancellable.ts";
import type { Peer } from "./router.ts";

/** What a node is to do about content that nobody is known to hold. */
export type Assignment =
  /** Get it from upstream, for others too. */
  | { readonly type: "fetch" }
  /** Get it from upstream for itself: those it followed a moment ago had nothing. */
  | { readonly type: "leave" }
  /** Get it from this peer, to which it is on its way, over so many others. */
  | { readonly type: "follow"; readonly peer: Peer; readonly depth: number };

/** What a turn is asked for. */
export interface AssignmentOptions extends Cancellable {
  /** So little that one node can send it to all. */
  readonly small: boolean;
  /** Id of the peer that was named before and was of no use. */
  readonly failed?: string | undefined;
  /** That one does get on, but slowly: perhaps upstream would be faster. */
  readonly slow?: boolean;
}

/** Lets nodes that want the same at the same time agree on who gets it from upstream. */
export interface Elections {
  /**
   * Asks what to do about a key. Bounded in time; undefined if nobody answers. Does not reject.
   */
  assign(key: string, options: AssignmentOptions): Promise<Assignment | undefined>;
  /**
   * Those who were named had nothing, and the client was sent upstream: when it asks for the same
   * once more, it is not to wait again.
   */
  gaveUp(key: string): void;
  /** Tells whether this node asked for a turn moments ago, so that it may soon have the content. */
  expects(key: string): boolean;
}
