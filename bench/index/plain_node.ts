import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { CID } from "multiformats/cid";
import * as Multihash from "multiformats/hashes/digest";
import { dhtKey } from "../../lib/router/dht/dht_key.ts";
import type { BenchNode, NodeOptions } from "./eddy_node.ts";

/** Deadline of providing one key, ms. */
const PROVIDE_LIMIT_MS = 10_000;
/** Code of raw binary content in the multicodec table. */
const RAW = 0x55;

/** Starts js-libp2p's own DHT with the options it needs in a private network. */
export async function startPlain({ peers, address }: NodeOptions): Promise<BenchNode> {
  const node = await createLibp2p({
    addresses: { listen: [`/ip4/${address}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 64, maxIncomingPendingConnections: 256 },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: "/spegel/kad/1.0.0",
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
      }),
    },
  });
  for (const peer of peers) await node.dial(multiaddr(peer));
  const { dht } = node.services;
  const cidOf = (key: string) => CID.createV1(RAW, Multihash.decode(dhtKey(key).multihash));
  async function* lookup(key: string, signal: AbortSignal): AsyncGenerator<string> {
    for await (const event of dht.findProviders(cidOf(key), { signal })) {
      if (event.name === "PROVIDER") yield* event.providers.map(({ id }) => id.toString());
    }
  }
  return {
    id: node.peerId.toString(),
    addresses: node.getMultiaddrs().map(String),
    ready: () => true,
    async connect(addresses) {
      for (const address of addresses) await node.dial(multiaddr(address)).catch(() => {});
    },
    // The routing table is not in the public types.
    peers: () => (dht as unknown as { routingTable: { size: number } }).routingTable.size,
    records: () => 0,
    async advertise(keys) {
      for (const key of keys) {
        const signal = AbortSignal.timeout(PROVIDE_LIMIT_MS);
        for await (const _ of dht.provide(cidOf(key), { signal }));
      }
    },
    lookup,
    async first(key, signal) {
      for await (const _ of lookup(key, signal)) return true;
      return false;
    },
  };
}
