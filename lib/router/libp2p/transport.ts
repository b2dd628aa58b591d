import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type {
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  MultiaddrConnection,
  Transport,
  Upgrader,
} from "@libp2p/interface";
import { tcp, type TCPComponents } from "@libp2p/tcp";
import type { Multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../async/deadline.ts";
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
  readonly create: (components: TCPComponents) => Transport;
  /** Whether one of its listeners can no longer accept connections. */
  deaf(): boolean;
}

/**
 * TCP without Nagle's algorithm, with a connect deadline and listeners of Eddy's own. The
 * transport's `noDelay` option does nothing in some versions of the runtime, where each small
 * exchange then takes 40 ms (Nagle and delayed acknowledgement).
 */
export function createTransport(
  inbound: InboundCollaborators,
  { connectTimeoutMs }: TransportOptions,
): RouterTransport {
  const listeners = new Set<TcpListener>();
  const create = (components: TCPComponents) => {
    const inner: Transport = tcp()(components);
    const wrapped: Transport = Object.create(inner);
    wrapped.dial = async (address: Multiaddr, dialOptions: DialTransportOptions) => {
      using limit = deadline(connectTimeoutMs, dialOptions);
      const upgrader = withoutDelay(dialOptions.upgrader, () => limit.clear());
      return await inner.dial(address, { ...dialOptions, signal: limit.signal, upgrader });
    };
    wrapped.createListener = ({ upgrader }: CreateListenerOptions): Listener => {
      const listener = new TcpListener(inbound, { upgrader, logger: components.logger });
      listeners.add(listener);
      return listener;
    };
    return wrapped;
  };
  return { create, deaf: () => [...listeners].some(({ deaf }) => deaf) };
}

/** Wraps the upgrader, which sees each socket first. */
function withoutDelay(upgrader: Upgrader, onConnect: () => void): Upgrader {
  return new Proxy(upgrader, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== "upgradeOutbound") return member.bind(target);
      return (connection: MultiaddrConnection, ...rest: unknown[]) => {
        onConnect();
        prepare(connection);
        return member.call(target, connection, ...rest);
      };
    },
  });
}

/** Not in the public type, but present at run time in the pinned version. */
interface SocketConnection {
  readonly socket?: Socket;
  /** Writes each of the pieces. */
  sendData?(pieces: Iterable<Uint8Array>): unknown;
}

function prepare(connection: MultiaddrConnection): void {
  const inner: MultiaddrConnection & SocketConnection = connection;
  const { socket } = inner;
  socket?.setNoDelay(true);
  writeAtOnce(inner);
}

/**
 * A message and its length prefix are two pieces: written separately they are two packets, and the
 * peer wakes up twice.
 */
function writeAtOnce(connection: SocketConnection): void {
  const sendData = connection.sendData?.bind(connection);
  if (sendData === undefined) return;
  connection.sendData = (pieces) => {
    const all = [...pieces];
    return sendData(all.length > 1 ? [Buffer.concat(all)] : all);
  };
}
