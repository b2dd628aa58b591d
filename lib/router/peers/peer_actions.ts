import type { PeerId } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { DhtClient } from "../dht/dht_client.ts";
import type { Departures } from "./departures.ts";
import type { Host } from "../libp2p/host.ts";
import type { PeerActions } from "./peer_monitor.ts";
import type { RoutingTable } from "./routing_table.ts";
import { probeTcp } from "../libp2p/probe_tcp.ts";

/** Peers offered to the routing table a round; each costs a ping. */
const OFFERED_A_ROUND = 4;

/** Collaborators of {@link createPeerActions}. */
export interface PeerActionsCollaborators {
  readonly host: Host;
  readonly table: Pick<RoutingTable, "ids" | "info" | "has" | "mapped" | "size">;
  /** Records of other nodes. */
  readonly store: { removeProvider(id: string): void };
  readonly client: Pick<DhtClient, "ping">;
  readonly departures: Pick<Departures, "has">;
}

/** Makes what the peer monitor does to peers, on libp2p. */
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
  /** The table takes whoever answers libp2p's ping, so also nodes of a cluster with another prefix. */
  const speaksDht = async (peer: PeerId, options: Cancellable) => {
    const known = await node.peerStore.get(peer).catch(() => undefined);
    const protocols = known?.protocols ?? [];
    if (protocols.length > 0) return protocols.includes(dht.protocol);
    // It has not said yet what it speaks, or what it said was forgotten when it was lost.
    return await client.ping(peer, options).then(() => true, () => false);
  };
  return {
    known: () => table.ids(),
    // The DHT's own PING, on a stream that is open anyway: a tenth of what a stream for each costs.
    async ping(peer, options) {
      // Among more peers than there are connections to, a look whether anybody listens must do.
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
    async offerStrangers() {
      const strangers = node.getPeers()
        .filter((peer) => !table.has(peer) && !departures.has(peer.toString()));
      for (const peer of strangers.slice(0, OFFERED_A_ROUND)) {
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
