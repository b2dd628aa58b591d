import { isIPv4 } from "node:net";
import { Networks } from "../../../net/ip.ts";

/** An interface with one of its IPv4 addresses. */
export interface SiteInterface {
  readonly name: string;
  readonly address: string;
  /** Tells whether an address is in the same subnet. */
  contains(address: string): boolean;
}

/** The used part of an interface as the runtime lists it. */
export type InterfaceInfo = Pick<
  Deno.NetworkInterfaceInfo,
  "name" | "family" | "address" | "cidr"
>;

/** Private networks (RFC 1918), the only ones where multicast is used. */
const PRIVATE = new Networks(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]);
/** Networks of containers, virtual machines and tunnels, which are not the site's. */
const VIRTUAL =
  /^(lo|docker|br-|veth|cni|flannel|cali|cilium|lxc|kube|nerdctl|podman|virbr|vnet|tun|tap|wg|tailscale|zt)/;

/**
 * The interfaces for multicast: those in `names`, or else each that has a private IPv4 address and
 * does not belong to containers, virtual machines or tunnels.
 */
export function siteInterfaces(
  list: readonly InterfaceInfo[],
  names: readonly string[],
): SiteInterface[] {
  const found = new Map<string, SiteInterface>();
  for (const { name, family, address, cidr } of list) {
    if (family !== "IPv4" || !isIPv4(address) || found.has(name)) continue;
    const isOwn = names.length > 0
      ? names.includes(name)
      : PRIVATE.has(address) && !VIRTUAL.test(name);
    if (!isOwn) continue;
    const subnet = new Networks();
    subnet.add(cidr);
    found.set(name, { name, address, contains: (other) => subnet.has(other) });
  }
  return [...found.values()];
}
