import type { PeerId } from "@libp2p/interface";
import type { Runtime } from "../../ports/runtime.ts";
import { dhtKey, kademliaId } from "../dht/dht_key.ts";
import type { KeyPlacement, Parcel, PlacedKey } from "./key_placement.ts";
import { OwnKeys, PARTS } from "./own_keys.ts";
import type { ProviderOutbox } from "./provider_outbox.ts";
import type { WorkBudget } from "../../async/work_budget.ts";

/** Approximate keys per portion of a reprovide. */
const PORTION = 128;
/** Minimum portions, so that few keys are spread too. */
const MIN_PORTIONS = 16;
/** Keys added between two yields of the work budget. */
const CHUNK = 128;
/** How long `advertise` waits for acknowledgements, ms; sending continues in the background. */
const HANDOVER_MS = 1000;
/**
 * Delay before a new peer is sent this node's keys, and its jitter, ms: the peer is ready then,
 * several joins coincide, and nodes that start together do not all send to each other at once.
 */
const JOIN_DELAY_MS = 200;
const JOIN_JITTER_MS = 500;
/**
 * Minimum interval of sending all keys to the same peer, ms, doubled per bit that peers and their
 * keys share: in a large network connections come and go more often than peers.
 */
const JOIN_INTERVAL_MS = 10_000;

export interface ProviderPublisherCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly placement: Pick<
    KeyPlacement,
    "place" | "placeFurther" | "belongingTo" | "sharedBits"
  >;
  readonly budget: Pick<WorkBudget, "breathe">;
  /** Makes the outbox; `provides` tells it whether a key is still provided. */
  readonly outbox: (provides: (id: string) => boolean) => Pick<ProviderOutbox, "send" | "stop">;
  /** Source of randomness in [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

export interface ProviderPublisherOptions {
  /** Interval at which each own key is announced again, ms. */
  readonly reprovideIntervalMs: number;
}

/**
 * Announces this node's keys: new ones at once, the relevant ones to a peer that joins, and each
 * again before its records expire.
 */
export class ProviderPublisher {
  readonly #collaborators: ProviderPublisherCollaborators;
  readonly #options: ProviderPublisherOptions;
  readonly #random: () => number;
  readonly #outbox: Pick<ProviderOutbox, "send" | "stop">;
  readonly #keys = new OwnKeys();
  /** When each known peer was last sent all keys. */
  readonly #sentAt = new Map<string, number>();
  readonly #joining = new Set<string>();
  readonly #stop = new AbortController();

  constructor(collaborators: ProviderPublisherCollaborators, options: ProviderPublisherOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#random = collaborators.random ?? Math.random;
    this.#outbox = collaborators.outbox((id) => this.#keys.has(id));
  }

  /** Tells whether this node provides the key with this multihash id. */
  provides(id: string): boolean {
    return this.#keys.has(id);
  }

  /** Starts announcing keys periodically, until {@link stop}. */
  start(): void {
    this.#inBackground("announcing keys anew", () => this.#reprovide());
  }

  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    this.#outbox.stop();
  }

  /** Announces keys; known ones are ignored. Never rejects. */
  async advertise(keys: readonly string[]): Promise<void> {
    const added: PlacedKey[] = [];
    for (const [index, key] of keys.entries()) {
      if (index % CHUNK === CHUNK - 1) await this.#collaborators.budget.breathe();
      const own = this.#keys.add(dhtKey(key));
      if (own !== undefined) added.push(own);
    }
    if (added.length === 0) return;
    const handover = new AbortController();
    const sent = this.#publish(added).catch((error) => this.#failed("announcing keys", error))
      .finally(() => handover.abort());
    const waited = this.#collaborators.clock.sleep(HANDOVER_MS, handover).catch(() => {});
    await Promise.race([sent, waited]);
  }

  /**
   * Stops announcing keys. Records at other nodes live until they expire: the protocol has no
   * withdrawal.
   */
  withdraw(keys: readonly string[]): void {
    for (const key of keys) this.#keys.delete(dhtKey(key).id);
  }

  /** Reports that a peer has joined. */
  peerJoined(peer: PeerId): void {
    const name = peer.toString();
    if (this.#joining.has(name)) return;
    this.#joining.add(name);
    this.#inBackground("announcing keys to a new peer", () => this.#tell(peer));
  }

  /** Reports that a peer is gone; its records of this node count as lost. */
  peerLeft(peer: PeerId): void {
    this.#sentAt.delete(peer.toString());
  }

  async #tell(peer: PeerId): Promise<void> {
    const { clock, placement } = this.#collaborators;
    const name = peer.toString();
    try {
      const last = this.#sentAt.get(name) ?? -Infinity;
      const delay = JOIN_DELAY_MS + this.#random() * JOIN_JITTER_MS;
      const interval = JOIN_INTERVAL_MS * 2 ** placement.sharedBits();
      await clock.sleep(Math.max(delay, last + interval - clock.now()), this.#stop);
    } finally {
      this.#joining.delete(name);
    }
    this.#sentAt.set(name, clock.now());
    const position = kademliaId(peer.toMultihash().bytes);
    const near = this.#keys.sharing(placement.sharedBits(), position);
    const keys = await placement.belongingTo(peer, near);
    if (keys.length > 0) await this.#outbox.send(peer, keys);
  }

  /**
   * Goes round the key space once per interval, from a random position, in portions that are small
   * enough to avoid bursts and large enough to be worth the streams they open.
   */
  async #reprovide(): Promise<void> {
    const { clock } = this.#collaborators;
    let part = Math.floor(this.#random() * MIN_PORTIONS) * PARTS / MIN_PORTIONS;
    while (!this.#stop.signal.aborted) {
      const portions = Math.max(MIN_PORTIONS, this.#keys.size / PORTION);
      const width = Math.min(Math.max(1, Math.floor(PARTS / portions)), PARTS - part);
      await clock.sleep(this.#options.reprovideIntervalMs * width / PARTS, this.#stop);
      const keys = this.#keys.inParts(part, width);
      part = (part + width) % PARTS;
      if (keys.length > 0) await this.#publish(keys);
    }
  }

  /** To known peers first: looking up others takes a while. */
  async #publish(keys: readonly PlacedKey[]): Promise<void> {
    const { placement } = this.#collaborators;
    const sent = this.#send(await placement.place(keys));
    await this.#send(await placement.placeFurther(keys, this.#stop));
    await sent;
  }

  async #send(parcels: readonly Parcel<PlacedKey>[]): Promise<void> {
    await Promise.all(parcels.map(({ peer, keys }) => this.#outbox.send(peer, keys)));
  }

  #inBackground(what: string, run: () => Promise<void>): void {
    run().catch((error) => this.#failed(what, error));
  }

  #failed(what: string, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#collaborators.log.warn(`${what} failed`, { error });
  }
}
