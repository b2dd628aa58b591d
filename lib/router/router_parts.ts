import type { PeerId } from "@libp2p/interface";
import type { Clock } from "../ports/clock.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type IpPort, toIpPort } from "./libp2p/address.ts";
import { BootstrapLoop } from "./bootstrap/bootstrap_loop.ts";
import type { Bootstrapper } from "./bootstrap/bootstrapper.ts";
import type { LastPeers } from "./bootstrap/last_peers.ts";
import { createBootstrapDialer } from "./peers/bootstrap_dialer.ts";
import { ConnectionLimiter } from "./libp2p/connection_limiter.ts";
import { Departures } from "./peers/departures.ts";
import type { DhtClient } from "./dht/dht_client.ts";
import { kademliaId } from "./dht/dht_key.ts";
import { Discovery, type DiscoveryCollaborators } from "./peers/discovery.ts";
import { FirstPeer } from "./peers/first_peer.ts";
import { Goodbye } from "./libp2p/goodbye.ts";
import type { Host } from "./libp2p/host.ts";
import {
  closestBy,
  createClient,
  createLookup,
  createPublisher,
  createWalking,
  serveDht,
} from "./index_parts.ts";
import { REPLICAS } from "./providers/key_placement.ts";
import type { Lookup } from "./providers/lookup.ts";
import type { ResolvedRouterOptions } from "./options.ts";
import { createPeerActions, type PeerActionsCollaborators } from "./peers/peer_actions.ts";
import { createPeerMapper, type PeerMapper } from "./peers/peer_mapper.ts";
import { PeerMonitor } from "./peers/peer_monitor.ts";
import { RoutingTable } from "./peers/routing_table.ts";
import { probeTcp } from "./libp2p/probe_tcp.ts";
import { Provider } from "./dht/provider.ts";
import type { ProviderPublisher } from "./providers/provider_publisher.ts";
import { ProviderStore } from "./providers/provider_store.ts";
import { FetchTrees } from "./rollout/fetch_trees.ts";
import { WorkBudget } from "../async/work_budget.ts";

/** Maximum records of one key, and providers in one answer. */
const MAX_PROVIDERS_PER_KEY = 128;
const MAX_ANSWER = 20;
/** A multihash of 66 bytes (sha2-512 and its header) in base64. */
const MAX_KEY_LENGTH = 88;

export interface RouterPartsCollaborators extends Runtime {
  readonly host: Host;
  readonly bootstrapper: Bootstrapper;
  readonly lastPeers: LastPeers;
}

export interface RouterParts {
  /** Records of other nodes. */
  readonly store: ProviderStore<Provider>;
  readonly table: RoutingTable;
  readonly monitor: PeerMonitor;
  readonly publisher: ProviderPublisher;
  readonly lookup: Lookup;
  readonly bootstrap: BootstrapLoop;
  readonly firstPeer: FirstPeer;
  readonly discovery: Discovery;
  readonly goodbye: Goodbye;
  /** Peers that said goodbye. */
  readonly departures: Departures;
  /** Lookups and pings share its streams. */
  readonly client: DhtClient;
  readonly budget: WorkBudget;
  readonly limiter: ConnectionLimiter;
  readonly fetchTrees: FetchTrees;
  /** Refreshes this node's own addresses. */
  refreshOwnAddresses(): Promise<void>;
}

/** Makes the parts of a router and connects them. */
export function createRouterParts(
  collaborators: RouterPartsCollaborators,
  options: ResolvedRouterOptions,
): RouterParts {
  const { host, clock } = collaborators;
  const self = new Self(host);
  const departures = new Departures(clock);
  const firstPeer = new FirstPeer(collaborators);
  const isDown = (id: string) => departures.has(id) || monitor.isDown(id);
  const toPeer = createPeerMapper({ ...options, own: () => self.addresses });
  const budget = new WorkBudget({ clock });
  const store = createStore(clock, options);
  const client = createClient(collaborators, options);
  const table = new RoutingTable({
    ...collaborators,
    toPeer,
    onJoin(peer) {
      if (departures.has(peer.toString())) return forget(peer);
      firstPeer.end();
      monitor.seen(peer);
      publisher.peerJoined(peer);
    },
    onLeave(peer) {
      publisher.peerLeft(peer);
      if (table.size === 0) bootstrap.wake();
    },
    onDisconnect: (peer) => monitor.suspect(peer),
  });
  const monitor = createMonitor(collaborators, options, { table, store, client, departures });
  const { goodbye, forget } = createGoodbye(collaborators, { store, departures });
  const context = { table, store, budget, client, isDown, self: () => self.provider };
  const walking = createWalking(collaborators, context, monitor);
  const publisher = createPublisher(collaborators, options, { ...context, walking });
  const lookup = createLookup(collaborators, options, { ...context, toPeer, walking });
  const bootstrap = createBootstrapLoop(collaborators, options, { table, self, firstPeer });
  const discovery = createDiscovery(collaborators, table, closestBy(walking));
  const fetchTrees = createFetchTrees(collaborators, options, { table, toPeer, isDown, monitor });
  const limiter = createLimiter(collaborators, options, { table, client });
  serveDht(collaborators, options, {
    ...context,
    provides: (id) => !goodbye.leaving && publisher.provides(id),
  });
  return {
    store,
    table,
    monitor,
    publisher,
    lookup,
    bootstrap,
    firstPeer,
    discovery,
    goodbye,
    departures,
    client,
    budget,
    limiter,
    fetchTrees,
    refreshOwnAddresses: () => self.refresh(),
  };
}

/** This node, as of the last refresh of its addresses. */
class Self {
  readonly #host: Host;
  /** Its listening addresses. */
  addresses: readonly IpPort[] = [];
  /** Its provider record. */
  provider: Provider;

  constructor(host: Host) {
    this.#host = host;
    this.provider = new Provider(host.node.peerId, []);
  }

  async refresh(): Promise<void> {
    const { node: { peerId, peerStore }, listening, announced } = this.#host;
    this.addresses = listening().map(toIpPort).filter((address) => address !== undefined);
    this.provider = new Provider(peerId, announced());
    await peerStore.patch(peerId, { multiaddrs: announced() });
  }
}

function createDiscovery(
  { host, clock, log }: RouterPartsCollaborators,
  table: RoutingTable,
  closest: DiscoveryCollaborators["closest"],
): Discovery {
  const self = host.node.peerId.toMultihash().bytes;
  return new Discovery({ clock, log, closest, self, peerCount: () => table.size });
}

function createBootstrapLoop(
  { host, bootstrapper, lastPeers, clock, log }: RouterPartsCollaborators,
  { listen }: ResolvedRouterOptions,
  { table, self, firstPeer }: {
    readonly table: RoutingTable;
    readonly self: Self;
    readonly firstPeer: FirstPeer;
  },
): BootstrapLoop {
  const own = () => self.addresses;
  return new BootstrapLoop({
    bootstrapper,
    lastPeers,
    clock,
    log,
    ...createBootstrapDialer({ host, table, own, clock, log }),
    peerCount: () => table.size,
    routerPort: () => own()[0]?.port ?? listen.port,
    onRound: () => firstPeer.end(),
  });
}

/** Makes the agreement on who fetches from upstream. */
function createFetchTrees(
  { host: { node }, clock, log, metrics }: RouterPartsCollaborators,
  { zone = () => undefined }: Pick<ResolvedRouterOptions, "zone">,
  { table, toPeer, isDown, monitor }: {
    readonly table: RoutingTable;
    readonly toPeer: PeerMapper;
    readonly isDown: (id: string) => boolean;
    readonly monitor: PeerMonitor;
  },
): FetchTrees {
  return new FetchTrees({
    node,
    table,
    toPeer,
    clock,
    log,
    metrics,
    zone,
    isDown,
    onFailure: (peer) => monitor.suspect(peer),
    takesConnections: (peer, limit) => probeTcp(table.mapped(peer)?.endpoints ?? [], limit),
  });
}

function createMonitor(
  collaborators: RouterPartsCollaborators,
  options: ResolvedRouterOptions,
  subjects: Omit<PeerActionsCollaborators, "host">,
): PeerMonitor {
  const actions = createPeerActions({ ...collaborators, ...subjects }, options);
  return new PeerMonitor({ ...collaborators, actions }, {
    pingIntervalMs: options.pingIntervalMs,
    pingTimeoutMs: 2 * options.requestTimeoutMs,
  });
}

function createLimiter(
  { host: { node }, clock, log }: RouterPartsCollaborators,
  options: ResolvedRouterOptions,
  { table, client }: { readonly table: RoutingTable; readonly client: DhtClient },
): ConnectionLimiter {
  const position = kademliaId(node.peerId.toMultihash().bytes);
  return new ConnectionLimiter({
    connections: () => node.getConnections(),
    isNeeded: (peer) => table.nearest(position, REPLICAS).some((near) => near.peer.equals(peer)),
    lastAsked: (peer) => client.lastAsked(peer),
    clock,
    log,
  }, options);
}

/** Handles a peer's goodbye, also when the peer reappears while it leaves. */
function createGoodbye(
  { host, log }: RouterPartsCollaborators,
  { store, departures }: {
    readonly store: Pick<ProviderStore<Provider>, "removeProvider">;
    readonly departures: Departures;
  },
): { goodbye: Goodbye; forget: (peer: PeerId) => void } {
  const forget = (peer: PeerId) => {
    store.removeProvider(peer.toString());
    host.dht.routingTable.remove(peer).catch((error) =>
      log.warn("removing a peer that left failed", { peer: peer.toString(), error })
    );
  };
  const goodbye = new Goodbye({
    node: host.node,
    log,
    onLeave(peer) {
      if (departures.has(peer.toString())) return;
      departures.add(peer.toString());
      forget(peer);
      log.info("peer leaves", { peer: peer.toString() });
    },
    onReturn: (peer) => departures.delete(peer.toString()),
  });
  return { goodbye, forget };
}

function createStore(clock: Clock, options: ResolvedRouterOptions): ProviderStore<Provider> {
  return new ProviderStore<Provider>({ clock }, {
    ttlMs: options.recordTtlMs,
    maxRecords: options.maxRecords,
    maxRecordsPerProvider: options.maxRecordsPerPeer,
    maxProvidersPerKey: MAX_PROVIDERS_PER_KEY,
    maxAnswer: MAX_ANSWER,
    maxKeyLength: MAX_KEY_LENGTH,
  });
}
