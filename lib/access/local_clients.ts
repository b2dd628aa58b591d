import { LRUCache } from "lru-cache";
import { bytesOf, formatIp, networkOf, Networks } from "../net/ip.ts";

/** Tells whether an IP address is one of this node. */
export type IsLocalClient = (address: string) => boolean;

/** An address of this node, and the network that it is in (`10.42.0.5/24`). */
export interface OwnAddress {
  readonly address: string;
  readonly cidr?: string | null;
}

/** Stands for the gateways of this node's networks. */
const GATEWAY = "gateway";
/** Answers that are cached: the same few clients ask, and the runtime's test takes microseconds. */
const MAX_CACHED = 1024;

/**
 * Makes the test for clients on this node: loopback, the node's own addresses, and what is
 * configured besides (`10.42.0.1` or `10.42.0.0/24`), for set-ups in which connections of the local
 * containerd arrive from a bridge or a gateway. `gateway` stands for the first address of each
 * network that exists at the start: the address of a pod's bridge, from which the node's requests
 * arrive when they are masqueraded.
 *
 * @param ownAddresses asked at each test: addresses come and go.
 * @throws {TypeError} naming the entry that is no address or network.
 */
export function createLocalClients(
  networks: readonly string[],
  ownAddresses: () => readonly OwnAddress[],
): IsLocalClient {
  const local = new Networks(["127.0.0.0/8", "::1"]);
  for (const network of networks) {
    if (network === GATEWAY) addGateways(local, ownAddresses());
    else if (!local.add(network)) {
      throw new TypeError(
        `${JSON.stringify(network)} is no address or network such as 10.42.0.0/24, nor gateway`,
      );
    }
  }
  const isIn = new LRUCache<string, boolean>({
    max: MAX_CACHED,
    memoMethod: (address) => local.has(address),
  });
  return (address) => isIn.memo(address) || ownAddresses().some((own) => own.address === address);
}

function addGateways(local: Networks, own: readonly OwnAddress[]): void {
  for (const { cidr } of own) {
    const gateway = firstAddress(cidr ?? "");
    if (gateway !== undefined) local.add(gateway);
  }
}

/** Loopback and link-local networks, in which the first address may be any host's. */
const WITHOUT_GATEWAY = new Networks(["127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10"]);

/** The first address of a network (`10.42.0.5/24`), by custom its gateway's; undefined if it has none. */
function firstAddress(cidr: string): string | undefined {
  const [address = "", prefix] = cidr.split("/");
  const bytes = bytesOf(address);
  const length = Number(prefix);
  if (bytes === undefined || WITHOUT_GATEWAY.has(address)) return undefined;
  if (!(length >= 1 && length <= 8 * bytes.length - 2)) return undefined;
  const network = networkOf(bytes, length);
  return formatIp([...network.slice(0, -1), (network.at(-1) ?? 0) + 1]);
}
