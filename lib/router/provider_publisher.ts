import type { PeerId } from "@libp2p/interface";
import type { Clock, Log } from "../ports.ts";
import { type DhtKey, kademliaId } from "./dht_key.ts";
import type { KeyPlacement } from "./key_placement.ts";
import type { ProviderOutbox } from "./provider_outbox.ts";

/** Regions of the key space, each announced anew in its own share of the interval. */
const REGIONS = 16;
/** `advertise` waits no longer for peers to acknowledge; sending goes on behind it. */
const HANDOVER_MS = 1000;
/** A new peer is told our keys so long after it joined, so that it is ready and joins coincide. */
const JOIN_DELAY_MS = 200;
/** A peer that comes and goes is told all keys no more often than this. */
const JOIN_INTERVAL_MS = 10_000;

/** Collaborators of a {@link ProviderPublisher}. */
export interface ProviderPublisherCollaborators {
  readonly placement: Pick<KeyPlacement, "place" | "belongsTo">;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes the outbox, which asks back whether a key is still ours. */
  readonly outbox: (provides: (id: string) => boolean) => Pick<ProviderOutbox, "send" | "stop">;
}

/** Settings of a {@link ProviderPublisher}. */
export interface ProviderPublisherOptions {
  /** How often each own key is announced anew, ms. */
  readonly reprovideIntervalMs: number;
}

interface OwnKey extends DhtKey {
  readonly kademliaId: Uint8Array;
}

/**
 * Keeps this node's own keys known: announces new ones at once, all that concern it to a peer that
 * joins, and each one again before its records expire.
 */
export class ProviderPublisher {
  readonly #collaborators: ProviderPublisherCollaborators;
  readonly #options: ProviderPublisherOptions;
  readonly #outbox: Pick<ProviderOutbox, "send" | "stop">;
  readonly #keys = new Map<string, OwnKey>();
  /** When each peer was last told all keys; only peers that are known now. */
  readonly #told = new Map<string, number>();
  readonly #joining = new Set<string>();
  readonly #stop = new AbortController();

  constructor(collaborators: ProviderPublisherCollaborators, options: ProviderPublisherOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#outbox = collaborators.outbox((id) => this.#keys.has(id));
  }

  /** Tells whether this node provides the key with this multihash id. */
  provides(id: string): boolean {
    return this.#keys.has(id);
  }

  /** Begins to announce keys anew, until {@link stop}. */
  start(): void {
    this.#inBackground("announcing keys anew", () => this.#reprovide());
  }

  /** Ends all announcing. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    this.#outbox.stop();
  }

  /** Announces keys; those that are announced already are left alone. Never rejects. */
  async advertise(keys: readonly DhtKey[]): Promise<void> {
    const added: OwnKey[] = [];
    for (const key of keys) {
      if (this.#keys.has(key.id)) continue;
      const own = { ...key, kademliaId: kademliaId(key.multihash) };
      this.#keys.set(key.id, own);
      added.push(own);
    }
    if (added.length === 0) return;
    const handover = new AbortController();
    const sent = this.#publish(added).catch((error) => this.#failed("announcing keys", error))
      .finally(() => handover.abort());
    const waited = this.#collaborators.clock.sleep(HANDOVER_MS, handover).catch(() => {});
    await Promise.race([sent, waited]);
  }

  /** Stops announcing keys. Records at other nodes live until they expire: no message recalls them. */
  withdraw(keys: readonly DhtKey[]): void {
    for (const { id } of keys) this.#keys.delete(id);
  }

  /** A peer can be sent to from now on. */
  peerJoined(peer: PeerId): void {
    const name = peer.toString();
    if (this.#joining.has(name)) return;
    this.#joining.add(name);
    this.#inBackground("announcing keys to a new peer", () => this.#tell(peer));
  }

  /** A peer is gone; all that it knew of us counts as lost. */
  peerLeft(peer: PeerId): void {
    this.#told.delete(peer.toString());
  }

  async #tell(peer: PeerId): Promise<void> {
    const { clock, placement } = this.#collaborators;
    const name = peer.toString();
    try {
      const last = this.#told.get(name) ?? -Infinity;
      const wait = Math.max(JOIN_DELAY_MS, last + JOIN_INTERVAL_MS - clock.now());
      await clock.sleep(wait, this.#stop);
    } finally {
      this.#joining.delete(name);
    }
    this.#told.set(name, clock.now());
    const keys = [...this.#keys.values()].filter((key) =>
      placement.belongsTo(key.kademliaId, peer)
    );
    if (keys.length > 0) await this.#outbox.send(peer, keys);
  }

  /** One region after another, so that the work is spread over the interval. */
  async #reprovide(): Promise<void> {
    const { signal } = this.#stop;
    let region = Math.floor(Math.random() * REGIONS);
    while (!signal.aborted) {
      await this.#collaborators.clock.sleep(
        this.#options.reprovideIntervalMs / REGIONS,
        this.#stop,
      );
      const keys = [...this.#keys.values()].filter((key) => regionOf(key) === region);
      region = (region + 1) % REGIONS;
      if (keys.length > 0) await this.#publish(keys);
    }
  }

  async #publish(keys: readonly OwnKey[]): Promise<void> {
    const regions = Map.groupBy(keys, regionOf);
    await Promise.all([...regions.values()].map(async (inRegion) => {
      const parcels = await this.#collaborators.placement.place(inRegion, this.#stop);
      await Promise.all(parcels.map(({ peer, keys }) => this.#outbox.send(peer, keys)));
    }));
  }

  #inBackground(what: string, run: () => Promise<void>): void {
    run().catch((error) => this.#failed(what, error));
  }

  #failed(what: string, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#collaborators.log.warn(`${what} failed`, { error });
  }
}

function regionOf(key: OwnKey): number {
  return (key.kademliaId[0] ?? 0) >> 4;
}
