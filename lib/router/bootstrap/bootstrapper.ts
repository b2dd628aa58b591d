import type { Cancellable } from "../../ports/cancellable.ts";

/** An address of a peer's router. */
export interface BootstrapAddress {
  /** IP address without brackets. */
  readonly ip: string;
  /** Undefined: the port of this node's own router. */
  readonly port?: number;
}

/** A bootstrap peer. */
export interface BootstrapPeer {
  /** Its peer id; undefined: any peer at the addresses is accepted. */
  readonly id?: string;
  /** At least one. */
  readonly addresses: readonly BootstrapAddress[];
  /** True: named by another node, or by itself, not by a configured source. */
  readonly unverified?: true;
}

/** A node, as bootstrap peer of others. */
export interface BootstrapContact {
  readonly id: string;
  /** Multiaddrs, without the peer id. */
  readonly addresses: readonly string[];
}

/** This node, as bootstrap peer of others. */
export interface BootstrapSelf {
  readonly id: string;
  /** Announced multiaddrs, without the peer id. */
  addresses(): readonly string[];
  /** Some other known peers, chosen at random. */
  others?(limit: number): readonly BootstrapContact[];
}

/** A source of bootstrap peers. */
export interface Bootstrapper {
  /** Called once, before the first `get`. */
  start?(self: BootstrapSelf): Promise<void>;
  /** The bootstrap peers, possibly including this node; rejects if they cannot be read now. */
  get(options: Cancellable): Promise<BootstrapPeer[]>;
  /** Whether it serves other nodes but can no longer accept their connections. */
  deaf?(): boolean;
  /** Called once, at the end. */
  stop?(): Promise<void>;
}
