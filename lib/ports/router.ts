import type { Cancellable } from "./cancellable.ts";

/** A node that holds something. */
export interface Peer {
  /** Stable identity, e.g. the libp2p peer id. */
  readonly id: string;
  /** IP addresses without brackets, best first; at least one. */
  readonly addresses: readonly string[];
  /** TCP port of its registry. */
  readonly registryPort: number;
}

/** Finds who holds a key and makes known what this node holds. */
export interface Router {
  /** Makes keys findable by other nodes; resolves when they have been handed on, not when known everywhere. */
  advertise(keys: readonly string[]): Promise<void>;
  /** Stops advertising keys; unknown keys are ignored. */
  withdraw(keys: readonly string[]): Promise<void>;
  /**
   * Yields peers that hold the key as they are found, never this node itself, each once. Ends when
   * no more can be found; ends early without an error when the signal aborts.
   */
  lookup(key: string, options: Cancellable): AsyncIterable<Peer>;
  /** A lookup of this key is likely to follow at once: it may begin. */
  anticipate?(key: string): void;
  /**
   * A peer did not answer somebody else. Until the router has found out whether it lives, no lookup
   * waits for it. Unknown ids are ignored.
   */
  reportFailure(id: string): void;
  /** True once other nodes can be found, or it is known that there are none. */
  ready(): boolean;
  /** Peers that are known right now. */
  peers(): readonly Peer[];
  /** True if a peer, yielded before perhaps, said that it leaves and is not back: do not ask it. */
  hasLeft(id: string): boolean;
}
