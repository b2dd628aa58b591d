import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Link } from "../../async/link.ts";
import { link } from "../../async/link.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { PeerClient } from "../http/peer_client.ts";
import type { PeerHealth } from "../selection/peer_health.ts";

/** Peers that are told at the same time; more are not told. */
const MAX_TELLING = 4;
/** A peer is told about the same content once in so long, ms: it may be reading it just now. */
const AGAIN_MS = 60_000;
/** What was told to whom is remembered of so many. */
const MAX_TOLD = 1024;

/** What {@link Doubts} work with. */
export interface DoubtsCollaborators {
  readonly client: Pick<PeerClient, "reach">;
  readonly health: Pick<PeerHealth, "address">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * Tells peers that what they alone sent was not what was asked for, in the background: a disk may
 * have flipped a bit, and they are to read their copy again. Nothing comes of it here, and a peer
 * that knows nothing of it takes it for a HEAD request like any other.
 */
export class Doubts {
  readonly #collaborators: DoubtsCollaborators;
  readonly #told: LRUCache<string, true>;
  readonly #life: Link = link();
  readonly #running = new Set<Promise<void>>();

  constructor(collaborators: DoubtsCollaborators) {
    this.#collaborators = collaborators;
    this.#told = expiringCache(collaborators.clock, { max: MAX_TOLD, ttlMs: AGAIN_MS });
  }

  /** @param path of the content, by digest. Returns at once, and never throws. */
  tell(peer: Peer, path: string): void {
    const key = `${peer.id} ${path}`;
    if (this.#told.has(key)) return;
    if (this.#life.signal.aborted || this.#running.size >= MAX_TELLING) return;
    this.#told.set(key, true);
    const telling = this.#tell(peer, path).finally(() => this.#running.delete(telling));
    this.#running.add(telling);
  }

  /** Ends whatever is under way. */
  async close(): Promise<void> {
    this.#life.abort(new DOMException("the mirror is closed", "AbortError"));
    await Promise.all(this.#running);
  }

  async #tell(peer: Peer, path: string): Promise<void> {
    const { client, health } = this.#collaborators;
    const wanted = { path, method: "HEAD" as const, isDoubted: true };
    const reached = await client.reach(peer, wanted, this.#life.signal, {
      preferred: health.address(peer.id),
    });
    if (reached.type === "answered") reached.reply.dismiss();
  }
}
