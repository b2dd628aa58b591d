import type { Cancellable } from "../../ports/cancellable.ts";

/** Where a peer's router may be reached. */
export interface BootstrapAddress {
  /** IP address without brackets. */
  readonly ip: string;
  /** Undefined: the port that this node's own router listens on. */
  readonly port?: number;
}

/** A peer to begin with. */
export interface BootstrapPeer {
  /** Its peer id, if it is known; else whoever answers at the addresses is taken. */
  readonly id?: string;
  /** At least one. */
  readonly addresses: readonly BootstrapAddress[];
  /**
   * True: it is one that somebody has met, or that says so itself; nobody who was configured names
   * it.
   */
  readonly unverified?: true;
}

/** A node for others to begin with. */
export interface BootstrapContact {
  readonly id: string;
  /** Multiaddrs, without the peer id. */
  readonly addresses: readonly string[];
}

/** This node, for others to begin with. */
export interface BootstrapSelf {
  readonly id: string;
  /** Announced multiaddrs, without the peer id. */
  addresses(): readonly string[];
  /** Some other peers that are known, chosen at random. */
  others?(limit: number): readonly BootstrapContact[];
}

/** Tells with which peers to begin. */
export interface Bootstrapper {
  /** Called once, before the first `get`. */
  start?(self: BootstrapSelf): Promise<void>;
  /** Peers to begin with, this node perhaps among them; rejects if they cannot be learned now. */
  get(options: Cancellable): Promise<BootstrapPeer[]>;
  /** Whether it listens for other nodes and they wait in vain. */
  deaf?(): boolean;
  /** Called once, at the end. */
  stop?(): Promise<void>;
}
