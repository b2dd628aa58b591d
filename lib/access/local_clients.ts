import { BlockList, isIP } from "node:net";

/** Tells whether an IP address is one of this node. */
export type IsLocalClient = (address: string) => boolean;

/**
 * Makes the test for clients on this node: loopback, the node's own addresses, and what is
 * configured besides (`10.42.0.1` or `10.42.0.0/24`), for set-ups in which connections of the local
 * containerd arrive from a bridge or a gateway.
 *
 * @param ownAddresses asked at each test: addresses come and go.
 * @throws {TypeError} naming the entry that is no address or network.
 */
export function createLocalClients(
  networks: readonly string[],
  ownAddresses: () => readonly string[],
): IsLocalClient {
  const list = new BlockList();
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addAddress("::1", "ipv6");
  for (const network of networks) add(list, network);
  return (address) => {
    const family = isIP(address);
    if (family === 0) return false;
    return list.check(address, family === 4 ? "ipv4" : "ipv6") || ownAddresses().includes(address);
  };
}

function add(list: BlockList, network: string): void {
  const [address = "", prefix, ...rest] = network.split("/");
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  if (family === 0 || rest.length > 0 || !(length <= bits)) {
    throw new TypeError(`${JSON.stringify(network)} is no address or network such as 10.42.0.0/24`);
  }
  list.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
}
