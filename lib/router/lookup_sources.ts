import type { PeerId, PeerInfo } from "@libp2p/interface";
import type { Cancellable } from "../ports.ts";
import { type DhtKey, kademliaId } from "./dht_key.ts";
import type { Host } from "./host.ts";
import { NO_PATH } from "./kad_dht.ts";
import type { LookupSources } from "./lookup_search.ts";
import type { PeerTable } from "./peer_table.ts";
import type { ProviderStore } from "./provider_store.ts";
import type { Suspects } from "./suspects.ts";

/** Peers that are asked directly and at once. */
const ASKED = 8;

/** Collaborators of {@link createLookupSources}. */
export interface LookupSourcesCollaborators {
  readonly host: Host;
  readonly store: ProviderStore<PeerId>;
  readonly table: Pick<PeerTable, "info">;
  /** Tells whether a peer is known to be dead. */
  readonly isDown: (id: string) => boolean;
  /** Peers that did not answer are not asked, and not waited for, until they are checked. */
  readonly suspects: Suspects;
}

/** Makes the sources of a search out of the provider records and the DHT. */
export function createLookupSources(collaborators: LookupSourcesCollaborators): LookupSources {
  const { host, store, table, suspects } = collaborators;
  const isOut = (peer: PeerId) => {
    const name = peer.toString();
    return suspects.has(name) || collaborators.isDown(name);
  };
  return {
    async own(key) {
      const infos = await Promise.all(store.get(key.id).map((peer) => table.info(peer)));
      return infos.filter((info) => info !== undefined);
    },
    async direct(key, found, options) {
      const { routingTable } = host.dht;
      const position = kademliaId(key.multihash);
      const closest = routingTable.closestPeers(position, { count: ASKED + suspects.size });
      const alive = closest.filter((peer) => !isOut(peer));
      const asked = alive.slice(0, ASKED);
      const known = new Set([host.node.peerId, ...asked].map(String));
      let complete = routingTable.size <= closest.length && asked.length === alive.length;
      await Promise.all(asked.map(async (peer) => {
        const question = {
          key,
          found,
          onFailure: (peer: PeerId) => suspects.add(peer),
          ...options,
        };
        for (const { id } of await ask(host, peer, question)) {
          if (!known.has(id.toString()) && !isOut(id)) complete = false;
        }
      }));
      return { complete };
    },
    async *iterate(key, options) {
      for await (const event of host.query.findProviders(key.cid, options)) {
        if (event.name === "PROVIDER") yield* event.providers;
      }
    },
  };
}

interface Question extends Cancellable {
  readonly key: DhtKey;
  readonly found: (peer: PeerInfo) => void;
  readonly onFailure: (peer: PeerId) => void;
}

/** Asks one peer for providers; returns whom else it knows. */
async function ask(
  host: Host,
  peer: PeerId,
  { key, found, onFailure, signal }: Question,
): Promise<PeerInfo[]> {
  const message = { type: "GET_PROVIDERS", key: key.multihash };
  const closer: PeerInfo[] = [];
  for await (
    const event of host.dht.network.sendRequest(peer, message, { signal, path: NO_PATH })
  ) {
    if (event.name === "PEER_RESPONSE") {
      event.providers.forEach(found);
      closer.push(...event.closer);
    } else if (event.name === "QUERY_ERROR" && !signal.aborted) onFailure(peer);
  }
  return closer;
}
