import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { messageOf } from "../async/thrown.ts";
import { untilAborted } from "../async/until_aborted.ts";
import { withoutBrackets } from "../net/host_port.ts";
import { bytesOf, Networks } from "../net/ip.ts";
import type { Cancellable } from "../ports/cancellable.ts";

/** Resolves a host name to addresses. */
export type ResolveAddresses = (hostname: string) => Promise<readonly string[]>;

/** A server or a client refers this node to an address that it must not connect to. */
export class ForbiddenTargetError extends Error {
  override readonly name = "ForbiddenTargetError";
}

/** A host's name has no address, or its name server does not answer. */
export class UnresolvedNameError extends Error {
  override readonly name = "UnresolvedNameError";
}

/**
 * Networks to which only this node's own configuration may refer: this machine, the link-local
 * network (where clouds serve a node's own credentials), multicast, and cloud metadata services at
 * other addresses. Private networks are allowed: companies have registries there.
 */
const FORBIDDEN = new Networks([
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255/32",
  // Metadata: Alibaba, Azure's host, Oracle's older cloud (in a protocol assignment, RFC 6890).
  "100.100.100.200/32",
  "168.63.129.16/32",
  "192.0.0.0/24",
  // Unspecified, loopback, and the obsolete IPv4-compatible addresses.
  "::/96",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
  // Teredo: contains the client's IPv4 address in obfuscated form.
  "2001::/32",
  // Metadata: AWS, Google, Oracle, Scaleway.
  "fd00:ec2::/32",
  "fd20:ce::/32",
  "fd00:c1::/32",
  "fd00:42::42/128",
]);

/** IPv4 addresses embedded in IPv6 addresses: prefix of the latter, positions of the bytes. */
const EMBEDDING: readonly (readonly [start: readonly number[], at: readonly number[]])[] = [
  // Mapped and translated (RFC 4291, 7915).
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], [12, 13, 14, 15]],
  [[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], [12, 13, 14, 15]],
  // NAT64 (RFC 6052); for the local-use prefix (RFC 8215) all prefix lengths are considered.
  [[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], [12, 13, 14, 15]],
  [[0, 0x64, 0xff, 0x9b, 0, 1], [6, 7, 9, 10]],
  [[0, 0x64, 0xff, 0x9b, 0, 1], [7, 9, 10, 11]],
  [[0, 0x64, 0xff, 0x9b, 0, 1], [9, 10, 11, 12]],
  [[0, 0x64, 0xff, 0x9b, 0, 1], [12, 13, 14, 15]],
  // 6to4 (RFC 3056).
  [[0x20, 0x02], [2, 3, 4, 5]],
];

/** The system's resolver, including the hosts file. */
export const systemResolve: ResolveAddresses = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

/** Tells whether an IP address is forbidden or malformed. */
export function isForbiddenAddress(address: string): boolean {
  const plain = withoutBrackets(address);
  const bytes = bytesOf(plain);
  if (bytes === undefined) return true;
  const embedded = EMBEDDING.filter(([start]) => start.every((byte, at) => bytes[at] === byte))
    .map(([, at]) => at.map((index) => bytes[index]));
  if (embedded.length === 0) return FORBIDDEN.has(plain);
  // Of several readings, one that begins with 0 is invalid.
  const read = embedded.filter(([first]) => embedded.length === 1 || first !== 0);
  return read.length === 0 || read.some((parts) => FORBIDDEN.has(parts.join(".")));
}

/**
 * Resolves a URL's host, requiring that none of its addresses is forbidden.
 *
 * @throws {ForbiddenTargetError} if any of them is, or it has none; as {@link addressesOf}.
 */
export async function allowedAddresses(
  hostname: string,
  options: Cancellable & { readonly resolve: ResolveAddresses },
): Promise<readonly string[]> {
  const addresses = await addressesOf(hostname, options);
  if (addresses.length === 0 || addresses.some(isForbiddenAddress)) {
    throw new ForbiddenTargetError(`${hostname} has a forbidden address or none`);
  }
  return addresses;
}

/**
 * Resolves a URL's host without restrictions.
 *
 * @throws {UnresolvedNameError} if that fails; the signal's reason when that aborts.
 */
export async function addressesOf(
  hostname: string,
  { resolve, signal }: Cancellable & { readonly resolve: ResolveAddresses },
): Promise<readonly string[]> {
  const host = withoutBrackets(hostname);
  if (isIP(host) !== 0) return [host];
  try {
    return await untilAborted(resolve(host), signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new UnresolvedNameError(`${host} does not resolve: ${messageOf(cause)}`, { cause });
  }
}
