import { BlockList, isIP, isIPv4 } from "node:net";

// Parsing is left to the runtime: `isIP` accepts the usual forms only, the URL parser yields the
// shortest one. ipaddr.js takes `010.0.0.1` for 8.0.0.1 and `::8.8.8.8` for 8.8.8.8, and ip-address
// takes ten times as long.

/** How a socket for both families shows an IPv4 address (RFC 4291, section 2.5.5.2). */
const MAPPED = /^::ffff:(?=\d+\.)/i;
const ZONE = /%.*$/;

/** The IP address of a socket's end; IPv4 in its usual form. Empty if it has none. */
export function ipOf(address: Deno.Addr): string {
  return "hostname" in address ? address.hostname.replace(MAPPED, "") : "";
}

/**
 * Normalises an IP address for comparison: IPv6 in its shortest form and without a zone, an
 * IPv4-mapped one as IPv4. Any other text stays invalid.
 */
export function canonicalIp(ip: string): string {
  const plain = ip.replace(ZONE, "").replace(MAPPED, "");
  if (isIP(plain) !== 6) return plain;
  const shortest = shortestIpv6(plain);
  return /^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(shortest)
    ? formatIp(ipv6Bytes(shortest).slice(12))
    : shortest;
}

/** Whether only this machine, or this network namespace, can have the address. */
export function isLoopback(ip: string): boolean {
  const canonical = canonicalIp(ip);
  return canonical === "::1" || (canonical.startsWith("127.") && isIPv4(canonical));
}

/** The 4 or 16 bytes of an IP address, without unmapping IPv4; undefined if it is invalid. */
export function bytesOf(ip: string): number[] | undefined {
  const plain = ip.replace(ZONE, "");
  const family = isIP(plain);
  if (family === 0) return undefined;
  return family === 4 ? plain.split(".").map(Number) : ipv6Bytes(shortestIpv6(plain));
}

/** Formats the 4 or 16 bytes of an IP address. */
export function formatIp(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return shortestIpv6(hex.replace(/.{4}(?!$)/g, "$&:"));
}

/** The bytes of an address' network, e.g. 10.42.0.0 for 10.42.0.7 and a prefix length of 24. */
export function networkOf(bytes: readonly number[], length: number): number[] {
  return bytes.map((byte, at) => {
    const rest = Math.min(Math.max(8 * (at + 1) - length, 0), 8);
    return byte >> rest << rest;
  });
}

/** A set of networks. An IPv4 network includes its IPv4-mapped addresses. */
export class Networks {
  readonly #list = new BlockList();

  /**
   * @param networks addresses, and networks such as `10.42.0.0/24`.
   * @throws {TypeError} with the first that is neither.
   */
  constructor(networks: readonly string[] = []) {
    for (const network of networks) {
      if (!this.add(network)) throw new TypeError(`${network} is no address or network`);
    }
  }

  /** Adds an address or a network; false if it is neither. */
  add(network: string): boolean {
    const [, address = "", prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const family = isIP(address);
    const bits = family === 4 ? 32 : 128;
    const length = prefix === undefined ? bits : Number(prefix);
    if (family === 0 || length > bits) return false;
    this.#list.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
    return true;
  }

  /** Tells whether an IP address is in one of the networks. */
  has(ip: string): boolean {
    const canonical = canonicalIp(ip);
    const family = isIP(canonical);
    return family !== 0 && this.#list.check(canonical, family === 4 ? "ipv4" : "ipv6");
  }
}

function shortestIpv6(ip: string): string {
  return new URL(`http://[${ip}]`).hostname.slice(1, -1);
}

function ipv6Bytes(shortest: string): number[] {
  const [before = "", after = ""] = shortest.split("::");
  const groups = (text: string) => text === "" ? [] : text.split(":").map((g) => parseInt(g, 16));
  const [head, tail] = [groups(before), groups(after)];
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff]);
}
