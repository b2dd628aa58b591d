import { BlockList, isIPv4 } from "node:net";

/** An interface, or rather one IPv4 address of it. */
export interface SiteInterface {
  readonly name: string;
  readonly address: string;
  /** Tells whether an address is in the same subnet. */
  contains(address: string): boolean;
}

/** What is asked of an interface as the runtime lists it. */
export type InterfaceInfo = Pick<
  Deno.NetworkInterfaceInfo,
  "name" | "family" | "address" | "netmask"
>;

/** Private (RFC 1918): elsewhere, multicast has no business. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet("10.0.0.0", 8, "ipv4");
PRIVATE.addSubnet("172.16.0.0", 12, "ipv4");
PRIVATE.addSubnet("192.168.0.0", 16, "ipv4");
/** Networks of containers, virtual machines and tunnels, which are not the site's. */
const VIRTUAL =
  /^(lo|docker|br-|veth|cni|flannel|cali|cilium|lxc|kube|nerdctl|podman|virbr|vnet|tun|tap|wg|tailscale|zt)/;

/**
 * The interfaces that multicast may use: those that are named, or else each that has a private IPv4
 * address and is not one of containers, virtual machines or tunnels.
 */
export function siteInterfaces(
  list: readonly InterfaceInfo[],
  names: readonly string[],
): SiteInterface[] {
  const found = new Map<string, SiteInterface>();
  for (const { name, family, address, netmask } of list) {
    if (family !== "IPv4" || !isIPv4(address) || found.has(name)) continue;
    const isOwn = names.length > 0
      ? names.includes(name)
      : PRIVATE.check(address, "ipv4") && !VIRTUAL.test(name);
    if (!isOwn) continue;
    const mask = toNumber(netmask);
    const subnet = (toNumber(address) & mask) >>> 0;
    found.set(name, {
      name,
      address,
      contains: (other) => isIPv4(other) && (toNumber(other) & mask) >>> 0 === subnet,
    });
  }
  return [...found.values()];
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
}
