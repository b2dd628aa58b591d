import type { PeerId } from "@libp2p/interface";
import { backoff } from "../../async/backoff.ts";
import type { Runtime } from "../../ports/runtime.ts";
import type { DhtClient } from "../dht/dht_client.ts";
import type { DhtKey } from "../dht/dht_key.ts";
import { encodeRecords } from "../dht/dht_message.ts";
import type { WorkBudget } from "../../async/work_budget.ts";

/** Records per acknowledgement. */
const BATCH = 256;
/** Attempts per peer before its keys are left to the next reprovide. */
const MAX_ATTEMPTS = 3;
/** Peers served concurrently. */
const MAX_PARALLEL = 16;
/** Maximum queued keys of one peer; further ones are left to the next reprovide. */
const MAX_WAITING = 200_000;

export interface ProviderOutboxCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** A client with separate streams, so that no lookup waits behind records. */
  readonly client: Pick<DhtClient, "ask" | "stop">;
  /** This node as an encoded provider, with its present addresses. */
  readonly self: () => Uint8Array;
  /** Tells whether a key is still to be announced. */
  readonly provides: (id: string) => boolean;
  readonly budget: Pick<WorkBudget, "run">;
}

/** One peer's queue. Keys for several peers share the same arrays, which are not copied. */
interface PeerQueue {
  readonly peer: PeerId;
  readonly parcels: (readonly DhtKey[])[];
  /** Index of the next key in the first parcel. */
  offset: number;
  waiting: number;
  readonly emptied: Promise<void>;
}

/**
 * Sends provider records: one stream per peer with all its records back to back, and a PING after
 * each batch whose echo acknowledges it. The library opens two streams per key and peer instead.
 */
export class ProviderOutbox {
  readonly #collaborators: ProviderOutboxCollaborators;
  readonly #boxes = new Map<string, PeerQueue>();
  readonly #queue: (() => void)[] = [];
  readonly #stop = new AbortController();
  #running = 0;

  constructor(collaborators: ProviderOutboxCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Queues keys for a peer; resolves when its queue is empty. Never rejects. */
  send(peer: PeerId, keys: readonly DhtKey[]): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    const name = peer.toString();
    let box = this.#boxes.get(name);
    if (box === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      box = { peer, parcels: [], offset: 0, waiting: 0, emptied: promise };
      this.#boxes.set(name, box);
      this.#deliver(box).catch((error) => {
        this.#collaborators.log.warn("announcing to a peer failed", { peer: name, error });
      }).finally(() => {
        this.#boxes.delete(name);
        resolve();
      });
    }
    if (box.waiting + keys.length <= MAX_WAITING) {
      box.parcels.push(keys);
      box.waiting += keys.length;
    }
    return box.emptied;
  }

  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    for (const go of this.#queue.splice(0)) go();
    this.#collaborators.client.stop();
  }

  async #deliver(box: PeerQueue): Promise<void> {
    await this.#acquire();
    try {
      const delays = backoff({ baseMs: 100, maxMs: 1000 });
      for (let attempt = 1; box.waiting > 0 && !this.#stop.signal.aborted; attempt++) {
        try {
          await this.#sendAll(box);
        } catch (error) {
          if (this.#stop.signal.aborted) return;
          const fields = { peer: box.peer.toString(), keys: box.waiting, attempt, error };
          this.#collaborators.log.debug("announcing to a peer was interrupted", fields);
          if (attempt >= MAX_ATTEMPTS) return;
          await this.#collaborators.clock.sleep(delays.next().value, this.#stop);
        }
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  async #acquire(): Promise<void> {
    if (this.#running >= MAX_PARALLEL) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#running++;
  }

  /** When it throws, unacknowledged keys stay in the queue. */
  async #sendAll(box: PeerQueue): Promise<void> {
    const { client, budget, provides, self } = this.#collaborators;
    for (let parcel = box.parcels[0]; parcel !== undefined; parcel = box.parcels[0]) {
      const batch = parcel.slice(box.offset, box.offset + BATCH);
      const answered = await budget.run(() => {
        const multihashes = batch.filter(({ id }) => provides(id)).map((key) => key.multihash);
        if (multihashes.length === 0) return undefined;
        return { answer: client.ask(box.peer, encodeRecords(multihashes, self()), this.#stop) };
      });
      await answered?.answer;
      box.offset += batch.length;
      box.waiting -= batch.length;
      if (box.offset >= parcel.length) {
        box.parcels.shift();
        box.offset = 0;
      }
    }
  }
}
