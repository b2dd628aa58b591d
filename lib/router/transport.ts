import type { Socket } from "node:net";
import type {
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  MultiaddrConnection,
  Transport,
  Upgrader,
} from "@libp2p/interface";
import { tcp, type TCPComponents, type TCPOptions } from "@libp2p/tcp";
import type { Multiaddr } from "@multiformats/multiaddr";

/**
 * TCP with Nagle's algorithm switched off on dialled and accepted sockets. The transport's own
 * `noDelay` option does nothing in some versions of the runtime, where each small exchange then
 * takes 40 ms (Nagle and delayed acknowledgement).
 */
export function tcpWithoutDelay(
  options: TCPOptions = {},
): (components: TCPComponents) => Transport {
  return (components) => {
    const inner: Transport = tcp(options)(components);
    const wrapped: Transport = Object.create(inner);
    wrapped.dial = (address: Multiaddr, dialOptions: DialTransportOptions) =>
      inner.dial(address, { ...dialOptions, upgrader: withoutDelay(dialOptions.upgrader) });
    wrapped.createListener = (listenOptions: CreateListenerOptions): Listener =>
      inner.createListener({ ...listenOptions, upgrader: withoutDelay(listenOptions.upgrader) });
    return wrapped;
  };
}

/** The upgrader sees each socket first, whoever opened it. */
function withoutDelay(upgrader: Upgrader): Upgrader {
  return new Proxy(upgrader, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== "upgradeInbound" && name !== "upgradeOutbound") return member.bind(target);
      return (connection: MultiaddrConnection, ...rest: unknown[]) => {
        setNoDelay(connection);
        return member.call(target, connection, ...rest);
      };
    },
  });
}

/** The socket is not in the public type; it is there at run time in the pinned version. */
function setNoDelay(connection: MultiaddrConnection): void {
  const { socket } = connection as MultiaddrConnection & { readonly socket?: Socket };
  socket?.setNoDelay(true);
}
