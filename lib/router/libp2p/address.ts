import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";
import { canonicalAddress } from "../../net/canonical_address.ts";

/** Address and port of a peer. */
export interface IpPort {
  /** IPv4 or IPv6 address without brackets. */
  readonly ip: string;
  readonly port: number;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Addresses that can never be another node's: unspecified, link-local, multicast, broadcast. */
const UNUSABLE = new BlockList();
UNUSABLE.addSubnet("0.0.0.0", 8, "ipv4");
UNUSABLE.addSubnet("169.254.0.0", 16, "ipv4");
UNUSABLE.addSubnet("224.0.0.0", 4, "ipv4");
UNUSABLE.addAddress("255.255.255.255", "ipv4");
UNUSABLE.addAddress("::", "ipv6");
UNUSABLE.addSubnet("fe80::", 10, "ipv6");
UNUSABLE.addSubnet("ff00::", 8, "ipv6");

/** IPv4-mapped addresses would let an IPv4 address pass by under another name. */
const MAPPED = new BlockList();
MAPPED.addSubnet("::ffff:0:0", 96, "ipv6");

/** Takes the brackets off an IPv6 address as it is written before a port. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Tells whether `ip` is a loopback address; false for anything that is not an IP address. */
export function isLoopback(ip: string): boolean {
  return inList(LOOPBACK, ip);
}

/** Tells whether `ip` can be another node's address. */
export function isUsableIp(ip: string, options: { allowLoopback: boolean }): boolean {
  if (!isIPv4(ip) && !isIPv6(ip)) return false;
  if (inList(UNUSABLE, ip) || (isIPv6(ip) && inList(MAPPED, ip))) return false;
  return options.allowLoopback || !isLoopback(ip);
}

/**
 * The address and port of a multiaddr of the form `/ip4|ip6/ADDRESS/tcp/PORT[/p2p/ID]`.
 *
 * @returns undefined for any other form: names are never resolved, relays never used.
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

/**
 * An IP address as it is compared, whatever socket it was seen at: an IPv4-mapped one as IPv4
 * (RFC 4291, section 2.5.5.2).
 */
export function canonicalIp(ip: string): string {
  const shortest = canonicalAddress(ip);
  const [, high = "", low = ""] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(shortest) ?? [];
  if (high === "") return shortest;
  const bits = parseInt(high, 16) * 2 ** 16 + parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

/** Writes an address as a multiaddr string. */
export function toMultiaddrString({ ip, port }: IpPort): string {
  return `/${isIPv6(ip) ? "ip6" : "ip4"}/${ip}/tcp/${port}`;
}

function inList(list: BlockList, ip: string): boolean {
  if (isIPv4(ip)) return list.check(ip, "ipv4");
  return isIPv6(ip) && list.check(ip, "ipv6");
}
