import type { PeerId } from "@libp2p/interface";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import { isUsableIp, toIpPort } from "./libp2p/address.ts";
import { DhtClient } from "./dht/dht_client.ts";
import { kademliaId } from "./dht/dht_key.ts";
import { encodeMessage, MESSAGE_TYPE } from "./dht/dht_message.ts";
import { DhtServer } from "./dht/dht_server.ts";
import { DhtWalk, type DhtWalkCollaborators } from "./dht/dht_walk.ts";
import type { Host } from "./libp2p/host.ts";
import { KeyPlacement, REPLICAS } from "./providers/key_placement.ts";
import { Lookup } from "./providers/lookup.ts";
import { createLookupSources } from "./providers/lookup_sources.ts";
import type { ResolvedRouterOptions } from "./options.ts";
import { createPeerDecoder } from "./dht/peer_decoder.ts";
import type { PeerMapper } from "./peers/peer_mapper.ts";
import type { PeerMonitor } from "./peers/peer_monitor.ts";
import type { RoutingTable } from "./peers/routing_table.ts";
import type { Provider } from "./dht/provider.ts";
import { ProviderOutbox } from "./providers/provider_outbox.ts";
import { ProviderPublisher } from "./providers/provider_publisher.ts";
import { disableLibraryRecords } from "./libp2p/kad_dht.ts";
import type { ProviderStore } from "./providers/provider_store.ts";
import type { WorkBudget } from "../async/work_budget.ts";

/** Deadline of connecting and of a batch's acknowledgement, ms. */
const BATCH_TIMEOUT_MS = 5000;

/** Collaborators of the DHT's parts. */
export interface IndexCollaborators extends Runtime {
  readonly host: Host;
}

/** Shared by several parts. */
export interface IndexContext {
  readonly table: RoutingTable;
  readonly store: ProviderStore<Provider>;
  readonly budget: WorkBudget;
  readonly client: DhtClient;
  readonly isDown: (id: string) => boolean;
  /** This node as a provider, with its present addresses. */
  readonly self: () => Provider;
}

/** Makes a DHT client. */
export function createClient(
  { host: { node, dht }, clock }: IndexCollaborators,
  { requestTimeoutMs }: { readonly requestTimeoutMs: number },
): DhtClient {
  return new DhtClient({
    openStream: (peer, limit) => node.dialProtocol(peer, dht.protocol, limit),
    clock,
  }, { requestTimeoutMs });
}

/** Replaces the library's DHT server by Eddy's. */
export function serveDht(
  { host, clock, log }: IndexCollaborators,
  options: ResolvedRouterOptions,
  context: IndexContext & { readonly provides: (id: string) => boolean },
): void {
  disableLibraryRecords(host.dht);
  const server = new DhtServer({
    ...context,
    clock,
    log,
    isUsable(address) {
      const target = toIpPort(address);
      return target !== undefined && isUsableIp(target.ip, options);
    },
  });
  host.dht.rpc.onIncomingStream = (stream, connection) => server.serve(stream, connection);
}

/** Makes the lookup of a key's holders. */
export function createLookup(
  collaborators: IndexCollaborators,
  options: ResolvedRouterOptions,
  context: IndexContext & { readonly toPeer: PeerMapper; readonly walking: DhtWalkCollaborators },
): Lookup {
  const { host: { node } } = collaborators;
  const { table, toPeer, walking, store } = context;
  return new Lookup({
    ...collaborators,
    ...context,
    self: node.peerId,
    // A peer's own announcement takes precedence over what other nodes say of it.
    toPeer: (info) => table.mapped(info.id) ?? toPeer(info),
    isDoubtful: walking.isDown,
    sources: createLookupSources({ ...walking, store }),
  }, options);
}

/** Makes the collaborators of DHT walks. */
export function createWalking(
  { host: { node, dht } }: IndexCollaborators,
  { table, client, isDown }: IndexContext,
  monitor: PeerMonitor,
): DhtWalkCollaborators {
  return {
    self: node.peerId,
    table,
    client,
    // A suspect peer is not asked until the monitor knows whether it is alive.
    isDown: (id) => isDown(id) || monitor.isSuspect(id),
    decode: createPeerDecoder(),
    async introduce({ id, multiaddrs }) {
      if (table.has(id)) return;
      await node.peerStore.merge(id, { multiaddrs });
      dht.routingTable.queueRoutingTableUpdate(id);
    },
    isConnected: (peer) => node.getConnections(peer).length > 0,
    onFailure(peer) {
      if (table.has(peer)) monitor.suspect(peer);
    },
  };
}

/** Finds the peers nearest to a multihash. */
export function closestBy(
  walking: DhtWalkCollaborators,
): (target: Uint8Array, options: Cancellable) => Promise<readonly PeerId[]> {
  return async (target, { signal }) => {
    const walk = new DhtWalk(walking, {
      position: kademliaId(target),
      question: encodeMessage({ type: MESSAGE_TYPE.findNode, key: target }),
      width: REPLICAS,
      signal,
    });
    return (await walk.run()).map(({ id }) => id);
  };
}

/** Makes the publisher of this node's keys. */
export function createPublisher(
  collaborators: IndexCollaborators,
  options: ResolvedRouterOptions,
  { table, budget, self, walking }: IndexContext & { readonly walking: DhtWalkCollaborators },
): ProviderPublisher {
  const { clock, log } = collaborators;
  const placement = new KeyPlacement({ closest: closestBy(walking), table, budget, clock });
  const client = createClient(collaborators, { requestTimeoutMs: BATCH_TIMEOUT_MS });
  return new ProviderPublisher({
    placement,
    budget,
    clock,
    log,
    outbox: (provides) =>
      new ProviderOutbox({ client, self: () => self().wire, provides, budget, clock, log }),
  }, options);
}
