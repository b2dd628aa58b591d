import { type DhtKey, kademliaId } from "../dht/dht_key.ts";
import { encodeMessage, MESSAGE_TYPE } from "../dht/dht_message.ts";
import { DhtWalk, type DhtWalkCollaborators } from "../dht/dht_walk.ts";
import type { LookupSources } from "./lookup_search.ts";
import type { Provider } from "../dht/provider.ts";
import type { ProviderStore } from "./provider_store.ts";

/** Number of nearest peers to ask; each alone should know all holders. */
const ASKED = 8;

export interface LookupSourcesCollaborators extends DhtWalkCollaborators {
  readonly store: Pick<ProviderStore<Provider>, "get">;
}

/** Makes the sources of a search: the provider records and the DHT. */
export function createLookupSources(collaborators: LookupSourcesCollaborators): LookupSources {
  const { store, decode } = collaborators;
  return {
    own: (key: DhtKey) => store.get(key.id),
    async ask(key, { found, enough, signal }) {
      const { multihash } = key;
      await new DhtWalk(collaborators, {
        position: kademliaId(multihash),
        question: encodeMessage({ type: MESSAGE_TYPE.getProviders, key: multihash }),
        width: ASKED,
        enough,
        signal,
        onAnswer({ providers }) {
          for (const wire of providers) {
            const info = decode(wire);
            if (info !== undefined) found(info);
          }
        },
      }).run();
    },
  };
}
