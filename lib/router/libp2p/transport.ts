import {
  type ComponentLogger,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type Transport,
  transportSymbol,
} from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import { openTcp } from "../../net/open_connection.ts";
import { toIpPort } from "./address.ts";
import { TcpConnection } from "./tcp_connection.ts";
import { type InboundCollaborators, TcpListener } from "./tcp_listener.ts";

export interface TransportOptions {
  /**
   * Deadline of a TCP connection, ms. It distinguishes a dead host from a busy one: the handshakes
   * that follow may take the rest of the dial's time.
   */
  readonly connectTimeoutMs: number;
}

/** A transport, and whether it accepts connections. */
export interface RouterTransport {
  /** For the library. */
  readonly create: (components: { readonly logger: ComponentLogger }) => Transport;
  /** Whether one of its listeners can no longer accept connections. */
  deaf(): boolean;
}

/** TCP without Nagle's algorithm, to IP addresses only, with a connect deadline. */
export function createTransport(
  inbound: InboundCollaborators,
  { connectTimeoutMs }: TransportOptions,
): RouterTransport {
  const { clock } = inbound;
  const listeners = new Set<TcpListener>();
  const create = ({ logger }: { readonly logger: ComponentLogger }): Transport => {
    const connections = new Set<TcpConnection>();
    const log = logger.forComponent("eddy:outbound");
    const dial = async (address: Multiaddr, options: DialTransportOptions) => {
      const socket = await connect(address, connectTimeoutMs, options);
      // The library verifies the peer id in this address.
      const init = { remoteAddr: address, direction: "outbound" } as const;
      const connection = new TcpConnection(socket, init, { clock, log });
      connections.add(connection);
      connection.addEventListener("close", () => connections.delete(connection));
      connection.start();
      try {
        return await options.upgrader.upgradeOutbound(connection, options);
      } catch (error) {
        connection.abort(errorOf(error));
        throw error;
      }
    };
    const createListener = ({ upgrader }: CreateListenerOptions): Listener => {
      const listener = new TcpListener(inbound, { upgrader, logger, connections });
      listeners.add(listener);
      return listener;
    };
    return {
      [Symbol.toStringTag]: "eddy-tcp",
      [transportSymbol]: true,
      dial,
      createListener,
      listenFilter: (addresses) => addresses,
      dialFilter: (addresses) => addresses.filter((address) => toIpPort(address) !== undefined),
    };
  };
  return { create, deaf: () => [...listeners].some(({ deaf }) => deaf) };
}

/** @throws at the deadline. */
async function connect(
  address: Multiaddr,
  timeoutMs: number,
  options: DialTransportOptions,
): Promise<Deno.TcpConn> {
  const target = toIpPort(address);
  if (target === undefined) throw new TypeError(`${address} is no address and TCP port`);
  using limit = deadline(timeoutMs, options);
  return await openTcp({ address: target.ip, port: target.port }, limit.signal);
}
