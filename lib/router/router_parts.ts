import type { PeerId } from "@libp2p/interface";
import type { Clock, Log, Metrics } from "../ports.ts";
import { type IpPort, toIpPort } from "./address.ts";
import { BootstrapLoop } from "./bootstrap/bootstrap_loop.ts";
import type { Bootstrapper } from "./bootstrap/bootstrapper.ts";
import { createBootstrapDialer } from "./bootstrap_dialer.ts";
import { Departures } from "./departures.ts";
import { Discovery } from "./discovery.ts";
import { Goodbye } from "./goodbye.ts";
import type { Host } from "./host.ts";
import { KeyPlacement } from "./key_placement.ts";
import { Lookup } from "./lookup.ts";
import { createLookupSources } from "./lookup_sources.ts";
import type { ResolvedRouterOptions } from "./options.ts";
import { createPeerActions } from "./peer_actions.ts";
import { createPeerMapper } from "./peer_mapper.ts";
import { PeerMonitor } from "./peer_monitor.ts";
import { PeerTable } from "./peer_table.ts";
import { ProviderOutbox } from "./provider_outbox.ts";
import { ProviderPublisher } from "./provider_publisher.ts";
import { replaceProviderRecords } from "./provider_records.ts";
import { ProviderStore } from "./provider_store.ts";
import { Suspects } from "./suspects.ts";

/** Records kept of one key, and named in one answer. */
const MAX_PROVIDERS_PER_KEY = 128;
const MAX_ANSWER = 20;
/** A multihash of 66 bytes (sha2-512 and its header) in base64. */
const MAX_KEY_LENGTH = 88;

/** Collaborators of the router's parts. */
export interface RouterPartsCollaborators {
  readonly host: Host;
  readonly bootstrapper: Bootstrapper;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The parts of a router, connected with each other. */
export interface RouterParts {
  /** Records of other nodes. */
  readonly store: ProviderStore<PeerId>;
  readonly table: PeerTable;
  readonly monitor: PeerMonitor;
  readonly publisher: ProviderPublisher;
  readonly lookup: Lookup;
  readonly bootstrap: BootstrapLoop;
  readonly discovery: Discovery;
  readonly goodbye: Goodbye;
  /** Peers that said goodbye. */
  readonly departures: Departures;
  readonly suspects: Suspects;
  /** Reads again where this node listens. */
  refreshOwnAddresses(): Promise<void>;
}

/** Makes the parts of a router and connects them. */
export function createRouterParts(
  collaborators: RouterPartsCollaborators,
  options: ResolvedRouterOptions,
): RouterParts {
  const { host, clock, log } = collaborators;
  let own: readonly IpPort[] = [];
  const departures = new Departures(clock);
  const isDown = (id: string) => departures.has(id) || monitor.isDown(id);
  const toPeer = createPeerMapper({ ...options, own: () => own });
  const store = createStore(clock, options);
  const table = new PeerTable({
    ...collaborators,
    toPeer,
    onJoin(peer) {
      if (departures.has(peer.toString())) return forget(peer);
      monitor.seen(peer);
      publisher.peerJoined(peer);
    },
    onLeave(peer) {
      publisher.peerLeft(peer);
      if (table.size === 0) bootstrap.wake();
    },
    onDisconnect: (peer) => void monitor.check(peer),
  });
  const monitor = new PeerMonitor({
    clock,
    log,
    actions: createPeerActions({ host, table, store, departures }),
  }, { pingIntervalMs: options.pingIntervalMs, pingTimeoutMs: 2 * options.requestTimeoutMs });
  const { goodbye, forget } = createGoodbye(collaborators, { store, departures });
  const publisher = createPublisher(collaborators, options);
  const suspects = new Suspects((peer) => monitor.check(peer));
  const lookup = new Lookup({
    ...collaborators,
    self: host.node.peerId,
    toPeer,
    isDown,
    sources: createLookupSources({
      host,
      store,
      table,
      isDown,
      suspects,
    }),
  }, options);
  const bootstrap = new BootstrapLoop({
    ...collaborators,
    ...createBootstrapDialer({ host, table, own: () => own, log }),
    peerCount: () => table.size,
    routerPort: () => own[0]?.port ?? options.listen.port,
  });
  const provides = (id: string) => !goodbye.leaving && publisher.provides(id);
  replaceProviderRecords({ host, store, isDown, provides });
  return {
    store,
    table,
    monitor,
    publisher,
    lookup,
    bootstrap,
    discovery: createDiscovery(collaborators, () => table.size),
    goodbye,
    departures,
    suspects,
    async refreshOwnAddresses() {
      own = host.listening().map(toIpPort).filter((address) => address !== undefined);
      await host.node.peerStore.patch(host.node.peerId, { multiaddrs: host.announced() });
    },
  };
}

function createDiscovery(
  { host, clock, log }: RouterPartsCollaborators,
  peerCount: () => number,
): Discovery {
  const self = host.node.peerId.toMultihash().bytes;
  return new Discovery({ query: host.query, self, peerCount, clock, log });
}

function createPublisher(
  { host, clock, log }: RouterPartsCollaborators,
  options: ResolvedRouterOptions,
): ProviderPublisher {
  const { node, dht, query } = host;
  const placement = new KeyPlacement({ self: node.peerId, table: dht.routingTable, query, log });
  return new ProviderPublisher({
    placement,
    clock,
    log,
    outbox: (provides) =>
      new ProviderOutbox({
        openStream: (peer, limit) => node.dialProtocol(peer, dht.protocol, limit),
        self: () => ({
          id: node.peerId.toMultihash().bytes,
          addresses: host.announced().map(({ bytes }) => bytes),
        }),
        provides,
        clock,
        log,
      }),
  }, options);
}

/** What happens when a peer says goodbye, and the same again when it turns up while it leaves. */
function createGoodbye(
  { host, log }: RouterPartsCollaborators,
  { store, departures }: {
    readonly store: ProviderStore<PeerId>;
    readonly departures: Departures;
  },
): { goodbye: Goodbye; forget: (peer: PeerId) => void } {
  const forget = (peer: PeerId) => {
    store.removeProvider(peer);
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

function createStore(clock: Clock, options: ResolvedRouterOptions): ProviderStore<PeerId> {
  return new ProviderStore<PeerId>({ clock }, {
    ttlMs: options.recordTtlMs,
    maxRecords: options.maxRecords,
    maxRecordsPerProvider: options.maxRecordsPerPeer,
    maxProvidersPerKey: MAX_PROVIDERS_PER_KEY,
    maxAnswer: MAX_ANSWER,
    maxKeyLength: MAX_KEY_LENGTH,
  });
}
