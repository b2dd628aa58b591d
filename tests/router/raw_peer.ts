import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { systemClock } from "../../lib/async/clock.ts";
import { DhtClient } from "../../lib/router/dht/dht_client.ts";
import { dhtKey } from "../../lib/router/dht/dht_key.ts";
import {
  type DhtMessage,
  encodeMessage,
  encodePeer,
  encodeRecords,
  MESSAGE_TYPE,
} from "../../lib/router/dht/dht_message.ts";
import { noiseCrypto } from "../../lib/router/libp2p/noise_crypto.ts";
import { addressesOf, type TestNode } from "./cluster.ts";

/** A peer without a router, which speaks the DHT as badly as a test wants it to. */
export class RawPeer implements AsyncDisposable {
  readonly #node: Libp2p;
  readonly #client: DhtClient;

  private constructor(node: Libp2p, addresses: readonly string[]) {
    this.#node = node;
    this.#client = new DhtClient({
      openStream: (_, limit) =>
        node.dialProtocol(addresses.map((at) => multiaddr(at)), "/spegel/kad/1.0.0", limit),
      clock: systemClock,
    }, { requestTimeoutMs: 30_000 });
  }

  /** Makes one that asks this node, or whoever is at these multiaddrs. */
  static async of(
    target: TestNode | readonly string[],
    encrypter: ReturnType<typeof noise> = noise({ crypto: noiseCrypto() }),
  ): Promise<RawPeer> {
    const node = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [encrypter],
      streamMuxers: [yamux()],
      services: { identify: identify() },
    });
    return new RawPeer(node, "router" in target ? addressesOf(target) : target);
  }

  get id(): string {
    return this.#node.peerId.toString();
  }

  /** Multihash of its peer id. */
  get multihash(): Uint8Array {
    return this.#node.peerId.toMultihash().bytes;
  }

  /** Says that `provider` (itself unless told otherwise) at `addresses` holds the keys. */
  async addProvider(
    keys: readonly string[],
    addresses: readonly string[],
    provider: Uint8Array = this.multihash,
  ): Promise<void> {
    const wire = encodePeer({
      id: provider,
      addresses: addresses.map((address) => multiaddr(address).bytes),
    });
    const multihashes = keys.map((key) => dhtKey(key).multihash);
    for (let i = 0; i < keys.length; i += 1000) {
      await this.ask(encodeRecords(multihashes.slice(i, i + 1000), wire));
    }
  }

  /** Asks who holds a key. */
  async getProviders(key: string): Promise<DhtMessage> {
    const { multihash } = dhtKey(key);
    return await this.ask(encodeMessage({ type: MESSAGE_TYPE.getProviders, key: multihash }));
  }

  /** Sends encoded messages and waits for an answer. */
  ask(messages: Uint8Array): Promise<DhtMessage> {
    return this.#client.ask(this.#node.peerId, messages, new AbortController());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.stop();
    await this.#node.stop();
  }
}
