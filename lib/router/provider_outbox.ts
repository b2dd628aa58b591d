import type { AbortOptions, PeerId, Stream } from "@libp2p/interface";
import { lpStream } from "@libp2p/utils";
import { backoff } from "../async/backoff.ts";
import { deadline } from "../async/deadline.ts";
import type { Clock, Log } from "../ports.ts";
import type { DhtKey } from "./dht_key.ts";
import { encodeAddProvider, encodePing, encodeProvider, type WireProvider } from "./dht_message.ts";

/** Records between two acknowledgements. */
const BATCH = 512;
/** Time to connect and for one batch to be acknowledged. */
const BATCH_TIMEOUT_MS = 5000;
/** Attempts for one peer before its keys are left to the next round. */
const MAX_ATTEMPTS = 3;
/** Peers that are sent to at once. */
const MAX_PARALLEL = 16;
/** An acknowledgement is a PING of a few bytes. */
const MAX_ACK_BYTES = 1024;

/** Collaborators of a {@link ProviderOutbox}. */
export interface ProviderOutboxCollaborators {
  /** Opens a DHT stream. */
  readonly openStream: (peer: PeerId, options: AbortOptions) => Promise<Stream>;
  /** This node as a provider, as of now. */
  readonly self: () => WireProvider;
  /** Tells whether a key is still to be announced. */
  readonly provides: (id: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

interface Box {
  readonly peer: PeerId;
  readonly keys: Map<string, DhtKey>;
  readonly emptied: Promise<void>;
}

/**
 * Sends provider records to peers: per peer one stream, all its records back to back, and a PING
 * after each batch whose echo says that the batch was read. The library opens two streams for each
 * key and peer instead.
 */
export class ProviderOutbox {
  readonly #collaborators: ProviderOutboxCollaborators;
  readonly #boxes = new Map<string, Box>();
  readonly #waiting: (() => void)[] = [];
  readonly #stop = new AbortController();
  #running = 0;

  constructor(collaborators: ProviderOutboxCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Sends keys to a peer, after what is already waiting for it. Never rejects. */
  send(peer: PeerId, keys: Iterable<DhtKey>): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    const name = peer.toString();
    let box = this.#boxes.get(name);
    if (box === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      box = { peer, keys: new Map(), emptied: promise };
      this.#boxes.set(name, box);
      this.#deliver(box).catch((error) => {
        this.#collaborators.log.warn("announcing to a peer failed", { peer: name, error });
      }).finally(() => {
        this.#boxes.delete(name);
        resolve();
      });
    }
    for (const key of keys) box.keys.set(key.id, key);
    return box.emptied;
  }

  /** Ends all sending. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    for (const go of this.#waiting.splice(0)) go();
  }

  async #deliver(box: Box): Promise<void> {
    await this.#acquire();
    try {
      const delays = backoff({ baseMs: 100, maxMs: 1000 });
      for (let attempt = 1; box.keys.size > 0 && !this.#stop.signal.aborted; attempt++) {
        try {
          await this.#sendAll(box);
        } catch (error) {
          if (this.#stop.signal.aborted) return;
          const fields = { peer: box.peer.toString(), keys: box.keys.size, attempt, error };
          this.#collaborators.log.debug("announcing to a peer was interrupted", fields);
          if (attempt >= MAX_ATTEMPTS) return;
          await this.#collaborators.clock.sleep(delays.next().value, this.#stop);
        }
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #acquire(): Promise<void> {
    if (this.#running >= MAX_PARALLEL) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }

  async #sendAll(box: Box): Promise<void> {
    const stream = await this.#open(box.peer);
    try {
      const frames = lpStream(stream, { maxDataLength: MAX_ACK_BYTES });
      while (box.keys.size > 0) {
        using limit = deadline(BATCH_TIMEOUT_MS, this.#stop);
        const batch = [...box.keys.values()].slice(0, BATCH);
        await frames.writeV(this.#encode(batch), limit);
        await frames.read(limit);
        for (const { id } of batch) box.keys.delete(id);
      }
      await this.#close(stream);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  async #open(peer: PeerId): Promise<Stream> {
    using limit = deadline(BATCH_TIMEOUT_MS, this.#stop);
    return await this.#collaborators.openStream(peer, limit);
  }

  async #close(stream: Stream): Promise<void> {
    using limit = deadline(BATCH_TIMEOUT_MS, this.#stop);
    await stream.close(limit);
  }

  #encode(batch: readonly DhtKey[]): Uint8Array[] {
    const { provides, self } = this.#collaborators;
    const provider = encodeProvider(self());
    return [
      ...batch.filter(({ id }) => provides(id)).map(({ multihash }) =>
        encodeAddProvider(multihash, provider)
      ),
      encodePing(),
    ];
  }
}
