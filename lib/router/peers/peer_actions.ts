import type { PeerId } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { DhtClient } from "../dht/dht_client.ts";
import type { Departures } from "./departures.ts";
import type { Host } from "../libp2p/host.ts";
import type { PeerActions } from "./peer_monitor.ts";
import type { RoutingTable } from "./routing_table.ts";
import { probeTcp } from "../libp2p/probe_tcp.ts";

/** Peers offered to the routing table per round; each costs a ping. */
const OFFERS_PER_ROUND = 4;

export interface PeerActionsCollaborators {
  readonly host: Host;
  readonly table: Pick<RoutingTable, "ids" | "info" | "has" | "mapped" | "size">;
  /** Records of other nodes. */
  readonly store: { removeProvider(id: string): void };
  readonly client: Pick<DhtClient, "ping">;
  readonly departures: Pick<Departures, "has">;
}

/** Implements the peer monitor's actions on libp2p. */
export function createPeerActions(
  collaborators: PeerActionsCollaborators,
  { connectTimeoutMs, maxConnections }: {
    readonly connectTimeoutMs: number;
    readonly maxConnections: number;
  },
): PeerActions {
  const { host: { node, dht }, table, store, client, departures } = collaborators;
  const takesConnections = async (peer: PeerId) => {
    using limit = deadline(connectTimeoutMs);
    return await probeTcp(table.mapped(peer)?.endpoints ?? [], limit);
  };
  /**
   * The table accepts any peer that answers libp2p's ping, including nodes of a cluster with
   * another prefix.
   */
  const speaksDht = async (peer: PeerId, options: Cancellable) => {
    const known = await node.peerStore.get(peer).catch(() => undefined);
    const protocols = known?.protocols ?? [];
    if (protocols.length > 0) return protocols.includes(dht.protocol);
    // Identify has not finished, or its result was forgotten when the peer was lost.
    return await client.ping(peer, options).then(() => true, () => false);
  };
  return {
    known: () => table.ids(),
    // The DHT's own PING, on an open stream: a tenth of the cost of a stream per ping.
    async ping(peer, options) {
      // With more peers than connections, a TCP probe must do.
      const isMeshed = table.size <= maxConnections || node.getConnections(peer).length > 0;
      if (isMeshed) await client.ping(peer, options);
      else if (!await takesConnections(peer)) throw new Error("the peer takes no connection");
    },
    takesConnections,
    async addresses(peer) {
      return (await table.info(peer))?.multiaddrs ?? [];
    },
    async dial(peer, addresses, options) {
      const named = addresses.map((address) => address.encapsulate(`/p2p/${peer}`));
      await node.dial(named.length > 0 ? named : peer, options);
      if (await speaksDht(peer, options)) dht.routingTable.queueRoutingTableUpdate(peer);
    },
    async offerConnected() {
      const candidates = node.getPeers()
        .filter((peer) => !table.has(peer) && !departures.has(peer.toString()));
      for (const peer of candidates.slice(0, OFFERS_PER_ROUND)) {
        using limit = deadline(connectTimeoutMs);
        if (await speaksDht(peer, limit)) dht.routingTable.queueRoutingTableUpdate(peer);
      }
    },
    async evict(peer) {
      await dht.routingTable.remove(peer);
      for (const connection of node.getConnections(peer)) {
        connection.abort(new Error("peer does not answer"));
      }
      await node.peerStore.delete(peer);
    },
    forget: (peer) => store.removeProvider(peer.toString()),
  };
}
