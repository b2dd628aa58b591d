import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Libp2p, Stream } from "@libp2p/interface";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { systemClock } from "../../../../lib/async/clock.ts";
import { DhtClient } from "../../../../lib/router/dht/dht_client.ts";
import { dhtKey } from "../../../../lib/router/dht/dht_key.ts";
import {
  decodeMessage,
  encodeMessage,
  encodePeer,
  encodeRecords,
  MESSAGE_TYPE,
} from "../../../../lib/router/dht/dht_message.ts";
import { FrameDecoder, readStream } from "../../../../lib/router/dht/dht_stream.ts";
import { noiseCrypto } from "../../../../lib/router/libp2p/noise_crypto.ts";

const PROTOCOL = "/spegel/kad/1.0.0";

/** A member of the index that says of every key that whoever it is told to name holds it. */
export class DhtLiar {
  readonly #node: Libp2p;
  readonly #address: string;
  readonly #clients: readonly DhtClient[];
  /** Who is named as a holder in answers, as it goes over the wire. */
  readonly #named: Uint8Array[] = [];

  private constructor(node: Libp2p, address: string, victims: readonly string[]) {
    this.#node = node;
    this.#address = address;
    this.#clients = victims.map((victim) =>
      new DhtClient({
        openStream: (_, limit) =>
          node.dialProtocol(multiaddr(`/ip4/${victim}/tcp/5001`), PROTOCOL, limit),
        clock: systemClock,
      }, { requestTimeoutMs: 5000 })
    );
    this.name(this.id);
  }

  /** Joins the index that the victims are in, from an IP address of this machine. */
  static async join(address: string, victims: readonly string[]): Promise<DhtLiar> {
    const node = await createLibp2p({
      addresses: { listen: [`/ip4/${address}/tcp/5001`] },
      transports: [tcp()],
      connectionEncrypters: [noise({ crypto: noiseCrypto() })],
      streamMuxers: [yamux()],
      services: { identify: identify(), ping: ping() },
    });
    const liar = new DhtLiar(node, address, victims);
    await node.handle(PROTOCOL, (stream) => liar.#serve(stream));
    for (const client of liar.#clients) {
      await client.ping(node.peerId, { signal: AbortSignal.timeout(5000) });
    }
    return liar;
  }

  /** Its peer id. */
  get id(): string {
    return this.#node.peerId.toString();
  }

  /** Says from now on that this peer holds whatever anybody asks for, at the liar's own address. */
  name(peer: string): void {
    this.#named.push(this.#wire(peer));
  }

  /** Names a peer that nobody has met, and no other. */
  async renew(): Promise<void> {
    const id = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
    this.#named.splice(0, Infinity, this.#wire(id.toString()));
  }

  /** Tells the victims that it holds these keys, at least those who are there. */
  async announce(keys: readonly string[]): Promise<void> {
    const records = encodeRecords(
      keys.map((key) => dhtKey(key).multihash),
      this.#wire(this.id),
    );
    const told = await Promise.allSettled(
      this.#clients.map((client) =>
        client.ask(this.#node.peerId, records, { signal: AbortSignal.timeout(5000) })
      ),
    );
    if (told.every(({ status }) => status === "rejected")) throw new Error("nobody was told");
  }

  #wire(peer: string): Uint8Array {
    return encodePeer({
      id: peerIdFromString(peer).toMultihash().bytes,
      addresses: [multiaddr(`/ip4/${this.#address}/tcp/5001`).bytes],
    });
  }

  async #serve(stream: Stream): Promise<void> {
    const frames = new FrameDecoder();
    try {
      for await (const piece of readStream(stream)) {
        for (const frame of frames.push(piece)) {
          const { type, key } = decodeMessage(frame);
          const providers = type === MESSAGE_TYPE.getProviders ? this.#named : [];
          if (type !== MESSAGE_TYPE.addProvider) {
            stream.send(encodeMessage({ type, key, providers }));
          }
        }
      }
      await stream.close();
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
