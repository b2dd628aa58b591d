import { isIPv4, isIPv6 } from "node:net";
import { getThinWaistAddresses } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { withoutBrackets } from "../../net/host_port.ts";
import { toMultiaddrString } from "./address.ts";

const ANY_IPV4 = "0.0.0.0";
const ANY_IPV6 = "::";

/** Where a router listens. */
export interface Listening {
  /** Multiaddrs to listen on. The library uses those that are available. */
  readonly addresses: readonly string[];
  /** Completes the library's listening addresses with those it does not see. */
  complete(addresses: readonly Multiaddr[]): Multiaddr[];
}

/** Which families a socket on `::` accepts on this machine. */
type Ipv6Sockets = "both" | "ipv6" | "none";

/**
 * Decides where to listen. Without a host on all addresses: on one dual-stack socket where
 * available. The runtime cannot restrict a socket on `::` to IPv6, so a second one for IPv4 would
 * find the port taken, and vice versa.
 *
 * @throws {RangeError} if the host is neither an IP address nor `localhost` nor empty.
 */
export async function decideListening(
  { host, port }: { readonly host: string; readonly port: number },
  probe: () => Promise<Ipv6Sockets> = probeIpv6,
): Promise<Listening> {
  const asTheyAre = (addresses: readonly Multiaddr[]) => [...addresses];
  if (host !== "") {
    const ip = host === "localhost" ? "127.0.0.1" : withoutBrackets(host);
    if (!isIPv4(ip) && !isIPv6(ip)) {
      throw new RangeError(`router option listen.host is ${host}, want an IP address or nothing`);
    }
    return { addresses: [toMultiaddrString({ ip, port })], complete: asTheyAre };
  }
  const ipv4 = toMultiaddrString({ ip: ANY_IPV4, port });
  const ipv6 = toMultiaddrString({ ip: ANY_IPV6, port });
  const sockets = await probe();
  if (sockets === "none") return { addresses: [ipv4], complete: asTheyAre };
  if (sockets === "ipv6") return { addresses: [ipv6, ipv4], complete: asTheyAre };
  return {
    addresses: [ipv6],
    complete: (addresses) =>
      addresses.length === 0 ? [] : [...getThinWaistAddresses(multiaddr(ipv4), port), ...addresses],
  };
}

/** Tests it on loopback and a random port. */
async function probeIpv6(): Promise<Ipv6Sockets> {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: ANY_IPV6, port: 0 });
  } catch {
    return "none";
  }
  using _closed = listener;
  try {
    using _connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    return "both";
  } catch {
    return "ipv6";
  }
}
