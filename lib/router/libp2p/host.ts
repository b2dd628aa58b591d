import { noise } from "@chainsafe/libp2p-noise";

import { identify } from "@libp2p/identify";
import type { ConnectionEncrypter, Libp2p, PrivateKey } from "@libp2p/interface";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { type Ping, ping } from "@libp2p/ping";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { dhtProtocol } from "../../oci/peer_protocol.ts";
import { isUsableIp, toIpPort } from "./address.ts";
import { checkConnections } from "./check_connections.ts";
import { ClosedNetwork } from "./closed_network.ts";
import { type DhtInternals, dhtInternals } from "./kad_dht.ts";
import type { ResolvedRouterOptions } from "../options.ts";
import { frugalYamux } from "./frugal_yamux.ts";
import { decideListening } from "./listen.ts";
import { noiseCrypto } from "./noise_crypto.ts";
import type { InboundCollaborators } from "./tcp_listener.ts";
import { createTransport } from "./transport.ts";

/** Peers stay in the peer store until they are removed: the library never renews an address. */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;
/** The library's own limits make a thousand nodes that start together reject each other. */
const MAX_PENDING_CONNECTIONS = 256;
const MAX_CONNECTIONS_PER_SECOND_AND_HOST = 64;
const MAX_DHT_STREAMS = 256;
/** Addresses of a peer dialled one after the other, in background dials. */
const MAX_ADDRESS_DIALS = 8;
/** Bits of distance by which the routing table is split; 8 keep lookups short at 1,000 nodes. */
const PREFIX_LENGTH = 8;

/** The libp2p node and its parts that the router needs. */
export interface Host {
  readonly node: Libp2p<{ ping: Ping }>;
  readonly dht: DhtInternals;
  /** Listening addresses, with wildcards resolved; empty before the start. */
  listening(): Multiaddr[];
  /** The announced subset of them. Neither includes the peer id. */
  announced(): Multiaddr[];
  /** Restricts who may connect; undefined: every node may. */
  readonly closed: ClosedNetwork | undefined;
  /** Whether it can no longer accept connections. */
  deaf(): boolean;
}

/**
 * Builds the libp2p node; it does nothing until it is started.
 *
 * @throws {Error} if a required member of the library is missing.
 */
export async function createHost(
  privateKey: PrivateKey,
  inbound: InboundCollaborators,
  options: ResolvedRouterOptions,
): Promise<Host> {
  const isUsable = (address: Multiaddr) => {
    const target = toIpPort(address);
    return target !== undefined && isUsableIp(target.ip, options);
  };
  const { addresses: listen, complete } = await decideListening(options.listen);
  let listening: () => Multiaddr[] = () => [];
  const announced = () => unique(listening().filter(isUsable));
  const dialTimeout = options.dialTimeoutMs * MAX_ADDRESS_DIALS;
  const closed = options.secrets.length > 0 ? new ClosedNetwork(options.secrets) : undefined;
  const secure = closed?.encrypter ?? noise({ crypto: noiseCrypto() });
  const made: { encrypter?: ConnectionEncrypter } = {};
  const muxers = frugalYamux();
  const transport = createTransport(inbound, options);
  const node = await createLibp2p({
    privateKey,
    start: false,
    addresses: {
      listen: [...listen],
      // The library omits public addresses that are not verified; here all nodes are in one
      // network, and are reachable at their listening addresses.
      announceFilter: () => announced(),
    },
    transports: [transport.create],
    connectionEncrypters: [(components) => made.encrypter = secure(components)],
    streamMuxers: [muxers],
    connectionManager: connectionLimits(options, dialTimeout),
    // It aborts connections after one failed ping; the peer monitor asks twice.
    connectionMonitor: { enabled: false },
    peerStore: {
      addressFilter: (_peer, address) => Promise.resolve(isUsable(address)),
      maxAddressAge: FOREVER_MS,
      maxPeerAge: FOREVER_MS,
    },
    services: {
      identify: identify(),
      ping: ping(),
      dht: createDht(options, dialTimeout),
      transports: ({ transportManager }) => {
        listening = () => complete(transportManager.getAddrs());
        return {};
      },
    },
  });
  closed?.open();
  if (made.encrypter === undefined) throw new Error("libp2p secures no connections");
  await checkConnections(made.encrypter, muxers(), node.logger);
  return {
    node,
    dht: dhtInternals(node.services.dht),
    announced,
    closed,
    listening: () => listening(),
    deaf: () => transport.deaf(),
  };
}

function createDht(options: ResolvedRouterOptions, dialTimeout: number) {
  return kadDHT({
    protocol: dhtProtocol(options.protocolPrefix),
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    prefixLength: PREFIX_LENGTH,
    maxInboundStreams: MAX_DHT_STREAMS,
    maxOutboundStreams: MAX_DHT_STREAMS,
    networkDialTimeout: exactly(options.requestTimeoutMs),
    // New peers are pinged in the background and may be busy with others.
    pingNewContactTimeout: exactly(dialTimeout),
    pingOldContactTimeout: exactly(dialTimeout),
  });
}

function connectionLimits(options: ResolvedRouterOptions, dialTimeout: number) {
  return {
    dialTimeout,
    addressDialTimeout: options.dialTimeoutMs,
    // Peers that keep fewer connections still accept more for a while: a rejected peer would be
    // taken for dead.
    maxConnections: 2 * options.maxConnections + MAX_PENDING_CONNECTIONS,
    maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
    inboundConnectionThreshold: MAX_CONNECTIONS_PER_SECOND_AND_HOST,
    // The peer monitor retries lost peers.
    reconnectRetries: 0,
  };
}

/** A fixed timeout: the library's adaptive ones begin at five seconds. */
function exactly(timeoutMs: number): { minTimeout: number; maxTimeout: number } {
  return { minTimeout: timeoutMs, maxTimeout: timeoutMs };
}

function unique(addresses: readonly Multiaddr[]): Multiaddr[] {
  return [...new Set(addresses.map(String))].map((address) => multiaddr(address));
}
