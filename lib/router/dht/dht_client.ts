import type { PeerId } from "@libp2p/interface";
import type { Cancellable } from "../../ports/cancellable.ts";
import { decodeMessage, type DhtMessage, encodeMessage, MESSAGE_TYPE } from "./dht_message.ts";
import {
  StreamClient,
  type StreamClientCollaborators,
  type StreamClientOptions,
} from "./stream_client.ts";

const PING = encodeMessage({ type: MESSAGE_TYPE.ping });

/** A DHT client. */
export class DhtClient extends StreamClient<DhtMessage> {
  constructor(
    collaborators: Omit<StreamClientCollaborators<DhtMessage>, "decode">,
    options: StreamClientOptions,
  ) {
    super({ ...collaborators, decode: decodeMessage }, options);
  }

  /**
   * Resolves when the peer answers, without a deadline.
   *
   * @throws if the peer is not reached, or the stream breaks, or the signal's reason.
   */
  async ping(peer: PeerId, options: Cancellable): Promise<void> {
    await this.askPatiently(peer, PING, options);
  }
}
