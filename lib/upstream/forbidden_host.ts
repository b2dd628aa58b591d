import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** Finds the addresses of a host name. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

/**
 * Networks that a server elsewhere has no business to send this node to: loopback, link-local (where
 * clouds answer with a node's own credentials), unspecified, multicast, and cloud metadata services
 * at other addresses. Private networks are not among them: companies have registries there.
 */
const FORBIDDEN = new BlockList();
for (
  const [network, prefix, family] of [
    ["0.0.0.0", 8, "ipv4"],
    ["127.0.0.0", 8, "ipv4"],
    ["169.254.0.0", 16, "ipv4"],
    ["100.100.100.200", 32, "ipv4"],
    ["224.0.0.0", 4, "ipv4"],
    ["::", 127, "ipv6"],
    ["fe80::", 10, "ipv6"],
    ["fd00:ec2::254", 128, "ipv6"],
    ["ff00::", 8, "ipv6"],
  ] as const
) FORBIDDEN.addSubnet(network, prefix, family);

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_HEX = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i;

/** The system's resolver, which knows the hosts file too. */
export const systemResolve: ResolveHost = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

/** Tells whether an IP address is one that nobody may send this node to. */
export function isForbiddenAddress(address: string): boolean {
  const plain = unmapped(address.replace(/^\[|\]$/g, "").replace(/%.*$/, ""));
  const family = isIP(plain);
  if (family === 0) return true;
  return FORBIDDEN.check(plain, family === 4 ? "ipv4" : "ipv6");
}

/**
 * Tells whether any address of a URL's host is forbidden. A name that cannot be resolved counts as
 * forbidden: nothing is lost, since it could not be reached either.
 */
export async function isForbiddenHost(hostname: string, resolve: ResolveHost): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return isForbiddenAddress(host);
  try {
    const addresses = await resolve(host);
    return addresses.length === 0 || addresses.some(isForbiddenAddress);
  } catch {
    return true;
  }
}

function unmapped(address: string): string {
  const hex = MAPPED_HEX.exec(address);
  if (hex !== null) {
    const [high, low] = [parseInt(hex[1] ?? "", 16), parseInt(hex[2] ?? "", 16)];
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return MAPPED.exec(address)?.[1] ?? address;
}
