import type { Connection, PeerId, Stream } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import { kademliaId, multihashId } from "./dht_key.ts";
import {
  decodeMessage,
  decodePeer,
  type DhtMessage,
  DhtMessageError,
  encodeMessage,
  MESSAGE_TYPE,
} from "./dht_message.ts";
import type { Nearby } from "./nearest_peers.ts";
import { Provider } from "./provider.ts";
import type { WorkBudget } from "../../async/work_budget.ts";
import { serveFrames } from "./serve_frames.ts";

/** Peers in one answer: Kademlia's k. */
const CLOSEST = 20;
/** How long a peer may take to read an answer, ms. */
const SEND_TIMEOUT_MS = 10_000;
/** Delay after each chunk of a peer whose records are rejected, ms. */
const FLOOD_PAUSE_MS = 100;
/** Longest key, bytes: a multihash of sha2-512. */
const MAX_KEY_BYTES = 66;

/** Provider records of other nodes. */
export interface ProviderRecords {
  /** Adds or renews a record. Returns false if a limit forbids it. */
  add(key: string, provider: Provider): boolean;
  /** Live providers of a key. */
  get(key: string): readonly Provider[];
}

export interface DhtServerCollaborators {
  /** Records of other nodes. */
  readonly store: ProviderRecords;
  readonly table: Nearby;
  /** Tells whether this node provides a key. */
  readonly provides: (id: string) => boolean;
  /** This node as a provider, with its present addresses. */
  readonly self: () => Provider;
  /** Tells whether a peer is known to be dead. */
  readonly isDown: (id: string) => boolean;
  /** Tells whether an address can be another node's. */
  readonly isUsable: (address: Multiaddr) => boolean;
  readonly budget: Pick<WorkBudget, "breathe">;
  readonly clock: Pick<Clock, "sleep">;
  readonly log: Log;
}

/**
 * Serves the DHT's protocol. The library's own server spends eighty microseconds on each record,
 * stores the sender's addresses again with each, and answers from lists that it scans; this one
 * processes everything that has arrived at once, within the router's work budget.
 */
export class DhtServer {
  readonly #collaborators: DhtServerCollaborators;

  constructor(collaborators: DhtServerCollaborators) {
    this.#collaborators = collaborators;
  }

  /** Serves one stream until the peer closes it. Never rejects. */
  async serve(stream: Stream, connection: Connection): Promise<void> {
    const remote = new RemotePeer(connection.remotePeer, this.#collaborators);
    const { budget, clock, log } = this.#collaborators;
    await serveFrames(stream, {
      sendTimeoutMs: SEND_TIMEOUT_MS,
      answer: async (messages, send) => {
        // Queries are answered at once; only records are subject to the budget.
        if (remote.takeAdded()) await budget.breathe();
        for (const message of messages) {
          const answer = this.#handle(message, remote);
          if (answer !== undefined) await send(answer);
        }
        if (remote.takeRefused()) await clock.sleep(FLOOD_PAUSE_MS);
      },
      onError: (error) => {
        log.debug("a DHT stream failed", { peer: connection.remotePeer.toString(), error });
      },
    });
  }

  /** @throws {DhtMessageError} if the message is malformed, which closes the stream. */
  #handle(frame: Uint8Array, remote: RemotePeer): Uint8Array | undefined {
    const message = decodeMessage(frame);
    const { type, key } = message;
    switch (type) {
      case MESSAGE_TYPE.ping:
        return encodeMessage({ type });
      case MESSAGE_TYPE.addProvider:
        remote.add(checkedKey(key), message);
        return undefined;
      case MESSAGE_TYPE.getProviders:
        return encodeMessage({
          type,
          key,
          providers: this.#providers(multihashId(checkedKey(key))),
          closer: this.#closest(key, remote.id),
        });
      case MESSAGE_TYPE.findNode:
        return encodeMessage({ type, key, closer: this.#closest(checkedKey(key), remote.id) });
      default:
        throw new DhtMessageError(`message type ${type} is not served`);
    }
  }

  #providers(id: string): Uint8Array[] {
    const { store, provides, self, isDown } = this.#collaborators;
    const others = store.get(id).filter((provider) => !isDown(provider.toString()));
    return (provides(id) ? [self(), ...others] : others).map(({ wire }) => wire);
  }

  /** The nearest peers that can be dialled, without the querying peer itself. */
  #closest(key: Uint8Array, remote: PeerId): Uint8Array[] {
    return this.#collaborators.table.nearest(kademliaId(key), CLOSEST + 1)
      .flatMap(({ peer, wire }) => wire === undefined || peer.equals(remote) ? [] : [wire])
      .slice(0, CLOSEST);
  }
}

/** The peer at the other end of a stream. */
class RemotePeer {
  readonly id: PeerId;
  readonly #collaborators: DhtServerCollaborators;
  readonly #multihash: Uint8Array;
  /** The provider in the last record, encoded and decoded. */
  #said: Uint8Array = new Uint8Array(0);
  #provider: Provider | undefined;
  #added = false;
  #refused = false;

  constructor(id: PeerId, collaborators: DhtServerCollaborators) {
    this.id = id;
    this.#collaborators = collaborators;
    this.#multihash = id.toMultihash().bytes;
  }

  /** Whether a record arrived since the last call. */
  takeAdded(): boolean {
    const added = this.#added;
    this.#added = false;
    return added;
  }

  /** Whether a record was rejected since the last call. */
  takeRefused(): boolean {
    const refused = this.#refused;
    this.#refused = false;
    return refused;
  }

  /** Adds a record. A peer can add records only for itself, and only with a usable address. */
  add(key: Uint8Array, { providers }: DhtMessage): void {
    this.#added = true;
    for (const said of providers) {
      if (!equal(said, this.#said)) {
        this.#provider = this.#read(said);
        // A copy: the message is a view of the receive buffer.
        this.#said = said.slice();
      }
      if (this.#provider === undefined) continue;
      const added = this.#collaborators.store.add(multihashId(key), this.#provider);
      if (!added) this.#refused = true;
    }
  }

  #read(said: Uint8Array): Provider | undefined {
    const { id, addresses } = decodePeer(said);
    if (!equal(id, this.#multihash)) return undefined;
    const usable = addresses.map(toMultiaddr)
      .filter((address) => address !== undefined && this.#collaborators.isUsable(address));
    return usable.length === 0 ? undefined : new Provider(this.id, usable as Multiaddr[]);
  }
}

/** @throws {DhtMessageError} if it cannot be a key. */
function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length > 0 && key.length <= MAX_KEY_BYTES) return key;
  throw new DhtMessageError(`key of ${key.length} bytes, want 1 to ${MAX_KEY_BYTES}`);
}

function toMultiaddr(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes);
  } catch {
    return undefined;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
