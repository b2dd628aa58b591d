import { multiaddr } from "@multiformats/multiaddr";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import { type IpPort, toMultiaddrString } from "../libp2p/address.ts";
import type { DialOutcome, DialTarget } from "../bootstrap/bootstrap_loop.ts";
import type { Host } from "../libp2p/host.ts";
import type { RoutingTable } from "./routing_table.ts";

/** Interval of warnings about peers that secure their connections differently, ms. */
const REPORT_EVERY_MS = 10 * 60_000;

export interface BootstrapDialerCollaborators {
  readonly host: Host;
  readonly table: Pick<RoutingTable, "knows" | "find">;
  /** This node's listening addresses, loopback included. */
  readonly own: () => readonly IpPort[];
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** Dials peers for the bootstrap loop. */
export interface BootstrapDialer {
  /** Tells whether a target is this node, or a known peer. */
  skip(target: DialTarget): boolean;
  /** Connects to a target; never rejects. */
  dial(target: DialTarget, options: Cancellable): Promise<DialOutcome>;
}

export function createBootstrapDialer(
  collaborators: BootstrapDialerCollaborators,
): BootstrapDialer {
  const { host: { node }, table, own, clock, log } = collaborators;
  let reportedAt = -Infinity;
  return {
    skip({ id, addresses }) {
      if (id !== undefined) return id === node.peerId.toString() || table.find(id) !== undefined;
      const self = own();
      return addresses.some(({ ip, port }) =>
        table.knows(ip, port) || self.some((other) => other.ip === ip && other.port === port)
      );
    },
    async dial({ id, addresses }, options) {
      const suffix = id === undefined ? "" : `/p2p/${id}`;
      try {
        const targets = addresses.map((address) => multiaddr(toMultiaddrString(address) + suffix));
        await node.dial(targets, options);
        return "connected";
      } catch (error) {
        if (isSelf(error)) return "self";
        if (options.signal.aborted) return "failed";
        const report = isSecurityMismatch(error) && clock.now() - reportedAt >= REPORT_EVERY_MS;
        if (report) {
          reportedAt = clock.now();
          log.warn(
            "a peer's router wants another key, or none: --dht-closed and the cluster key must be " +
              "the same on all nodes",
            { addresses },
          );
        }
        log.debug("a bootstrap peer cannot be reached", { addresses, error });
        return "failed";
      }
    },
  };
}

/**
 * The peer is alive, but there is no common way to secure the connection. libp2p throws the same
 * error if the peer closes the connection earlier, as one at its start or its limit does.
 */
function isSecurityMismatch(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isSecurityMismatch);
  return error instanceof Error && error.name === "EncryptionFailedError" &&
    error.message.startsWith("Protocol selection failed");
}

/** The library detects a connection to itself only when the other side shows its identity. */
function isSelf(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isSelf);
  return error instanceof Error && error.name === "InvalidPeerIdError";
}
