import { BlockList, isIP } from "node:net";

/** Tells whether an IP address is one of this node. */
export type IsLocalClient = (address: string) => boolean;

/** An address of this node, and the network that it is in (`10.42.0.5/24`). */
export interface OwnAddress {
  readonly address: string;
  readonly cidr?: string | null;
}

/** Stands for the gateways of this node's networks. */
const GATEWAY = "gateway";

/**
 * Makes the test for clients on this node: loopback, the node's own addresses, and what is
 * configured besides (`10.42.0.1` or `10.42.0.0/24`), for set-ups in which connections of the local
 * containerd arrive from a bridge or a gateway. `gateway` stands for the first address of each
 * network that is there at the start: a pod's bridge, whose address the node's requests have when
 * they are masqueraded.
 *
 * @param ownAddresses asked at each test: addresses come and go.
 * @throws {TypeError} naming the entry that is no address or network.
 */
export function createLocalClients(
  networks: readonly string[],
  ownAddresses: () => readonly OwnAddress[],
): IsLocalClient {
  const list = new BlockList();
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addAddress("::1", "ipv6");
  for (const network of networks) {
    if (network === GATEWAY) addGateways(list, ownAddresses());
    else add(list, network);
  }
  return (address) => {
    const family = isIP(address);
    if (family === 0) return false;
    return list.check(address, family === 4 ? "ipv4" : "ipv6") ||
      ownAddresses().some((own) => own.address === address);
  };
}

function addGateways(list: BlockList, own: readonly OwnAddress[]): void {
  for (const { cidr } of own) {
    const gateway = firstAddress(cidr ?? "");
    if (gateway !== undefined) list.addAddress(gateway, isIP(gateway) === 4 ? "ipv4" : "ipv6");
  }
}

/** The first address of a network (`10.42.0.5/24`), by custom its gateway's; undefined if it has none. */
function firstAddress(cidr: string): string | undefined {
  const [address = "", prefix = ""] = cidr.split("/");
  const length = Number(prefix);
  // Link-local: those of others are as good.
  if (isIP(address) === 0 || /^(127\.|169\.254\.|fe[89ab]|::1$)/i.test(address)) return undefined;
  if (isIP(address) === 4) {
    if (length < 1 || length > 30) return undefined;
    const size = 2 ** (32 - length);
    const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    const first = Math.floor(number / size) * size + 1;
    return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".");
  }
  if (length < 1 || length > 126) return undefined;
  // Written out by the URL parser.
  const [head = "", tail = ""] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  const number = [...left, ...zeros, ...right].reduce((sum, group) => {
    return (sum << 16n) | BigInt(`0x${group}`);
  }, 0n);
  const host = BigInt(128 - length);
  const first = ((number >> host) << host) + 1n;
  return first.toString(16).padStart(32, "0").match(/.{4}/g)?.join(":");
}

function add(list: BlockList, network: string): void {
  const [address = "", prefix, ...rest] = network.split("/");
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  if (family === 0 || rest.length > 0 || !(length <= bits)) {
    throw new TypeError(
      `${JSON.stringify(network)} is no address or network such as 10.42.0.0/24, nor gateway`,
    );
  }
  list.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
}
