import type { Peer } from "../../ports/router.ts";
import { link } from "../../async/link.ts";
import type { PeerClient } from "../http/peer_client.ts";
import type { PeerHealth } from "./peer_health.ts";
import type { PenaltyBox } from "./penalty_box.ts";

/** Probes at the same time. */
const MAX_PROBES = 8;

/** What a {@link Prober} works with. */
export interface ProberCollaborators {
  readonly health: PeerHealth;
  readonly penalties: Pick<PenaltyBox, "usable">;
  readonly client: PeerClient;
}

/**
 * Finds out in the background whether peers answer: no request waits for a peer that is gone, and a
 * peer that came back is used again at once.
 */
export class Prober {
  readonly #health: PeerHealth;
  readonly #penalties: Pick<PenaltyBox, "usable">;
  readonly #client: PeerClient;
  readonly #running = new Map<string, Promise<boolean>>();
  readonly #life = link();

  constructor({ health, penalties, client }: ProberCollaborators) {
    this.#health = health;
    this.#penalties = penalties;
    this.#client = client;
  }

  /**
   * Begins a probe of a peer that is down, if one is due.
   *
   * @returns whether it answered, once known; never rejects. Undefined if none was begun.
   */
  revive(peer: Peer): Promise<boolean> | undefined {
    return this.#health.probeDue(peer.id) ? this.#begin(peer) : undefined;
  }

  /** Begins a probe of a peer that was slower than another, unless it has recently sent bytes. */
  suspect(peer: Peer): void {
    if (this.#health.standing(peer) === "good" && !this.#health.active(peer.id)) {
      this.#begin(peer);
    }
  }

  /** Ends all probes. */
  async close(): Promise<void> {
    this.#life.abort(new DOMException("the mirror is closed", "AbortError"));
    await Promise.all(this.#running.values());
  }

  #begin(peer: Peer): Promise<boolean> | undefined {
    if (this.#life.signal.aborted || this.#running.has(peer.id)) return undefined;
    if (this.#running.size >= MAX_PROBES) return undefined;
    const probe = this.#probe(peer).finally(() => this.#running.delete(peer.id));
    this.#running.set(peer.id, probe);
    return probe;
  }

  /** The API version check (distribution specification, end-1); any answer is a sign of life. */
  async #probe(peer: Peer): Promise<boolean> {
    const reached = await this.#client.reach(
      this.#penalties.usable(peer),
      { path: "/v2/", method: "GET" },
      this.#life.signal,
      { preferred: this.#health.address(peer.id) },
    );
    if (reached.type === "aborted") return false;
    const alive = reached.type === "answered";
    if (alive) reached.reply.dismiss();
    this.#health.probed(peer.id, alive);
    return alive;
  }
}
