import type { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Link } from "../../async/link.ts";
import { link } from "../../async/link.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/router.ts";
import type { PeerClient } from "../http/peer_client.ts";
import type { PeerHealth } from "../selection/peer_health.ts";

/** The most peers that are told at the same time; others are not told. */
const MAX_TELLING = 4;
/** How often a peer is told about the same content, ms: it may be reading it just now. */
const AGAIN_MS = 60_000;
/** The most pairs of peer and content that are remembered. */
const MAX_TOLD = 1024;

/** What {@link Doubts} work with. */
export interface DoubtsCollaborators {
  readonly client: Pick<PeerClient, "reach">;
  readonly health: Pick<PeerHealth, "address">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * Tells peers, in the background, that content that they alone sent was wrong: a disk may have
 * flipped a bit, and they are to read their copy again. It has no effect here, and a peer that does
 * not know the header takes it for an ordinary HEAD request.
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

  /** Ends all requests under way. */
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
