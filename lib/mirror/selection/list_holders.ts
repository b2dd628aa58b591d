import { type Reference, referenceKey } from "../../oci/reference.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Peer, Router } from "../../ports/router.ts";

/** Yields peers that hold any of some content. */
export async function* holdersOf(
  near: readonly Reference[],
  router: Pick<Router, "lookup">,
  options: Cancellable,
): AsyncGenerator<Peer> {
  const seen = new Set<string>();
  for (const reference of near) {
    for await (const peer of router.lookup(referenceKey(reference), options)) {
      if (!seen.has(peer.id)) yield peer;
      seen.add(peer.id);
    }
  }
}

/**
 * Yields known peers in random order: a repository has no key in the index, so that others may know
 * of it as well.
 *
 * @param random source of randomness in [0, 1).
 */
export async function* knownPeers(
  router: Pick<Router, "peers">,
  random: () => number,
): AsyncGenerator<Peer> {
  const peers = [...router.peers()];
  while (peers.length > 0) {
    yield* await Promise.resolve(peers.splice(Math.floor(random() * peers.length), 1));
  }
}
