import type { PeerId } from "@libp2p/interface";
import { multihashId } from "./dht_key.ts";
import type { Host } from "./host.ts";
import type { ProviderStore } from "./provider_store.ts";

/** Collaborators of {@link replaceProviderRecords}. */
export interface ProviderRecordsCollaborators {
  readonly host: Host;
  /** Records of other nodes. */
  readonly store: ProviderStore<PeerId>;
  /** Tells whether this node provides a key. */
  readonly provides: (id: string) => boolean;
  /** Tells whether a peer is known to be dead. */
  readonly isDown: (id: string) => boolean;
}

/**
 * Puts our provider store in the place of the library's. Own keys never go into it, so that the
 * library does not announce them in its own, slow way; asked for one, this node names itself too.
 */
export function replaceProviderRecords(collaborators: ProviderRecordsCollaborators): void {
  const { host: { node, dht }, store, provides, isDown } = collaborators;
  dht.providers.addProvider = (key, provider) => {
    if (!provider.equals(node.peerId)) store.add(multihashId(key.multihash.bytes), provider);
    return Promise.resolve();
  };
  dht.providers.removeProvider = (key, provider) => {
    store.remove(multihashId(key.multihash.bytes), provider);
    return Promise.resolve();
  };
  dht.providers.getProviders = async (key) => {
    const id = multihashId(key.multihash.bytes);
    const others = store.get(id).filter((peer) => !isDown(peer.toString()));
    const all = provides(id) ? [node.peerId, ...others] : others;
    // The library fails the whole answer for one provider that the peer store does not know.
    const known = await Promise.all(all.map((peer) => node.peerStore.has(peer)));
    return all.filter((_, index) => known[index]);
  };
}
