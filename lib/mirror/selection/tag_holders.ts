import { type Reference, referenceKey } from "../../oci/reference.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Peer, Router } from "../../ports/router.ts";
import type { TrustedAddresses } from "../../ports/access.ts";

/** How often peers that are not believed are logged as warnings, ms. */
const REPORT_EVERY_MS = 10 * 60_000;
/** The most peers of one lookup that are kept until bootstrap has been asked again. */
const MAX_STRANGERS = 32;

/** What {@link TagHolders} works with. */
export interface TagHoldersCollaborators {
  readonly router: Pick<Router, "lookup" | "hasLeft">;
  readonly trustedAddresses: TrustedAddresses;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/**
 * Finds those holders of tags that are believed without a proof: only at the addresses that the
 * bootstrap source names. Other peers are not asked, so that they cannot use up the few peers that
 * are.
 */
export class TagHolders {
  readonly #collaborators: TagHoldersCollaborators;
  #reportedAt = -Infinity;

  constructor(collaborators: TagHoldersCollaborators) {
    this.#collaborators = collaborators;
  }

  /**
   * A router for one search. `strangers` counts the holders of its last lookup that were not named.
   *
   * @param lookup finds the peers; default: the holders of the tag.
   */
  of(
    reference: Reference,
    lookup: Router["lookup"] = this.#collaborators.router.lookup.bind(this.#collaborators.router),
  ): Pick<Router, "lookup" | "hasLeft"> & { readonly strangers: number } {
    const { router } = this.#collaborators;
    const strangers: Peer[] = [];
    return {
      get strangers() {
        return strangers.length;
      },
      hasLeft: (id) => router.hasLeft(id),
      lookup: (_, options) =>
        this.#lookUp(lookup(referenceKey(reference), options), reference, strangers, options),
    };
  }

  async *#lookUp(
    peers: AsyncIterable<Peer>,
    reference: Reference,
    strangers: Peer[],
    options: Cancellable,
  ): AsyncGenerator<Peer> {
    const { trustedAddresses } = this.#collaborators;
    let looking: Promise<void> | undefined;
    strangers.length = 0;
    for await (const peer of peers) {
      const believed = this.#named(peer);
      if (believed !== undefined) {
        yield believed;
      } else if (strangers.length < MAX_STRANGERS) {
        strangers.push(peer);
        // It may be a new node. Peers that are named already do not wait for that.
        looking ??= trustedAddresses.refresh(options);
      }
    }
    await looking;
    for (const peer of strangers) {
      const believed = this.#named(peer);
      if (believed === undefined) this.#report(peer, reference);
      else yield believed;
    }
  }

  /** The peer with those of its addresses that are named; undefined if none is. */
  #named(peer: Peer): Peer | undefined {
    const { trustedAddresses } = this.#collaborators;
    const addresses = peer.addresses.filter((address) => trustedAddresses.isTrusted(address));
    return addresses.length === 0 ? undefined : { ...peer, addresses };
  }

  #report({ id, addresses }: Peer, reference: Reference): void {
    const { clock, log } = this.#collaborators;
    const isDue = clock.now() - this.#reportedAt >= REPORT_EVERY_MS;
    if (isDue) this.#reportedAt = clock.now();
    log[isDue ? "warn" : "debug"](
      "a peer is not asked what a tag means: bootstrap does not name it",
      {
        peer: id,
        addresses,
        tag: referenceKey(reference),
        fix: "--cluster-key-file on all nodes, a bootstrap source that names all nodes, or " +
          "--tag-policy peer",
      },
    );
  }
}
