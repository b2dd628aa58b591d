import type { Cancellable } from "./cancellable.ts";

/** A node that holds content. */
export interface Peer {
  /** Stable identity: the libp2p peer id. */
  readonly id: string;
  /** IP addresses without brackets, best first; at least one. */
  readonly addresses: readonly string[];
  /** TCP port of its registry. */
  readonly registryPort: number;
}

/** Finds the holders of a key and advertises what this node holds. */
export interface Router {
  /** Advertises keys; resolves once they are handed on, not once they are known everywhere. */
  advertise(keys: readonly string[]): Promise<void>;
  /** Stops advertising keys; unknown keys are ignored. */
  withdraw(keys: readonly string[]): Promise<void>;
  /**
   * Yields peers that hold the key as they are found, each once, never this node itself. Ends when
   * no more can be found; ends early without an error when the signal aborts.
   */
  lookup(key: string, options: Cancellable): AsyncIterable<Peer>;
  /** A lookup of this key is likely to follow: it may begin. */
  anticipate?(key: string): void;
  /**
   * Waits, after the start, until a first peer is known, or nobody answers for now, or two seconds
   * are over; later it resolves at once. Rejects only with the signal's reason, when that aborts.
   */
  firstPeer?(options: Cancellable): Promise<void>;
  /**
   * Reports that a peer did not answer. Until the router has probed it, no lookup waits for it.
   * Unknown ids are ignored.
   */
  reportFailure(id: string): void;
  /** True once other nodes can be found, or are known not to exist. */
  ready(): boolean;
  /** The peers known at present. */
  peers(): readonly Peer[];
  /**
   * True if a peer, even one already yielded, announced its departure and is not back: do not ask
   * it.
   */
  hasLeft(id: string): boolean;
}
