import { isIP, isIPv4, isIPv6 } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";
import { canonicalIp, isLoopback, Networks } from "../../net/ip.ts";

/** Address and port of a peer. */
export interface IpPort {
  /** IPv4 or IPv6 address without brackets. */
  readonly ip: string;
  readonly port: number;
}

/** Addresses that can never be another node's: unspecified, link-local, multicast, broadcast. */
const UNUSABLE = new Networks([
  ...["0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255"],
  ...["::", "fe80::/10", "ff00::/8"],
]);

/** Tells whether `ip` can be another node's address. */
export function isUsableIp(ip: string, options: { allowLoopback: boolean }): boolean {
  if (isIP(ip) === 0 || UNUSABLE.has(ip)) return false;
  // An IPv4-mapped address would let an IPv4 address evade the lists.
  if (isIPv6(ip) && isIPv4(canonicalIp(ip))) return false;
  return options.allowLoopback || !isLoopback(ip);
}

/**
 * The address and port of a multiaddr of the form `/ip4|ip6/ADDRESS/tcp/PORT[/p2p/ID]`.
 *
 * @returns undefined for any other form: names and relays are not supported.
 */
export function toIpPort(address: Multiaddr): IpPort | undefined {
  const [host, transport, peer, ...rest] = address.getComponents();
  if (host === undefined || transport === undefined || rest.length > 0) return undefined;
  if (peer !== undefined && peer.name !== "p2p") return undefined;
  if ((host.name !== "ip4" && host.name !== "ip6") || transport.name !== "tcp") return undefined;
  const port = Number(transport.value);
  if (host.value === undefined || !Number.isInteger(port) || port < 1 || port > 65535) {
    return undefined;
  }
  return { ip: host.value, port };
}

/** Formats an address as a multiaddr. */
export function toMultiaddrString({ ip, port }: IpPort): string {
  return `/${isIPv6(ip) ? "ip6" : "ip4"}/${ip}/tcp/${port}`;
}
