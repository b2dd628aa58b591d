import type { Cancellable } from "./cancellable.ts";
import type { Peer } from "./router.ts";

/** A node's assignment for content without known holders. */
export type Assignment =
  /** Fetch it from upstream, for other nodes too. */
  | { readonly type: "fetch" }
  /** Fetch it from upstream for itself: its recent parents had no content. */
  | { readonly type: "leave" }
  /** Fetch it from this parent, which is itself fetching it, `depth` nodes from upstream. */
  | { readonly type: "follow"; readonly peer: Peer; readonly depth: number };

/** Options of an assignment. */
export interface AssignmentOptions extends Cancellable {
  /** So small that one node can send it to all others. */
  readonly small: boolean;
  /** Id of the previously assigned parent, if it failed. */
  readonly failed?: string | undefined;
  /** That parent makes progress, but slowly: upstream may be faster. */
  readonly slow?: boolean;
}

/** Lets nodes that want the same content at once agree on who fetches it from upstream. */
export interface Elections {
  /**
   * Asks for an assignment for a key. Bounded in time; undefined without an answer. Does not
   * reject.
   */
  assign(key: string, options: AssignmentOptions): Promise<Assignment | undefined>;
  /**
   * The assigned parents had no content, and the client falls back to upstream: its next request
   * for the same content must not wait again.
   */
  gaveUp(key: string): void;
  /**
   * Tells whether this node asked for an assignment recently, so that it may soon have the content.
   */
  expects(key: string): boolean;
}
