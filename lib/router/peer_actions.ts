import type { PeerId } from "@libp2p/interface";
import type { Departures } from "./departures.ts";
import type { Host } from "./host.ts";
import type { PeerActions } from "./peer_monitor.ts";
import type { PeerTable } from "./peer_table.ts";
import type { ProviderStore } from "./provider_store.ts";

/** Peers offered to the routing table a round; each costs a ping. */
const OFFERED_A_ROUND = 4;

/** Collaborators of {@link createPeerActions}. */
export interface PeerActionsCollaborators {
  readonly host: Host;
  readonly table: Pick<PeerTable, "ids" | "info" | "has">;
  readonly store: ProviderStore<PeerId>;
  readonly departures: Pick<Departures, "has">;
}

/** Makes what the peer monitor does to peers, on libp2p. */
export function createPeerActions(collaborators: PeerActionsCollaborators): PeerActions {
  const { host: { node, dht }, table, store, departures } = collaborators;
  return {
    known: () => table.ids(),
    ping: (peer, options) => node.services.ping.ping(peer, options),
    async addresses(peer) {
      return (await table.info(peer))?.multiaddrs ?? [];
    },
    async dial(peer, addresses, options) {
      const named = addresses.map((address) => address.encapsulate(`/p2p/${peer}`));
      await node.dial(named.length > 0 ? named : peer, options);
      dht.routingTable.queueRoutingTableUpdate(peer);
    },
    async offerStrangers() {
      const strangers = node.getPeers()
        .filter((peer) => !table.has(peer) && !departures.has(peer.toString()));
      for (const peer of strangers.slice(0, OFFERED_A_ROUND)) {
        const protocols = (await node.peerStore.get(peer)).protocols;
        if (protocols.length > 0 && !protocols.includes(dht.protocol)) continue;
        dht.routingTable.queueRoutingTableUpdate(peer);
      }
    },
    async evict(peer) {
      store.removeProvider(peer);
      await dht.routingTable.remove(peer);
      for (const connection of node.getConnections(peer)) {
        connection.abort(new Error("peer does not answer"));
      }
      await node.peerStore.delete(peer);
    },
  };
}
