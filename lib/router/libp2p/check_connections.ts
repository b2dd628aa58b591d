import type { ComponentLogger, ConnectionEncrypter, StreamMuxerFactory } from "@libp2p/interface";
import { AbstractMultiaddrConnection } from "@libp2p/utils";
import { multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../async/deadline.ts";
import { type FrameHeader, type FrameSender, requireFrameHeader } from "./frugal_yamux.ts";

/** Deadline of the handshake, ms; it takes a few. */
const TIMEOUT_MS = 5000;

/**
 * Secures and multiplexes a connection in memory: the required members of Noise and yamux exist
 * only on a connection.
 *
 * @throws {Error} with the package, the member and the pinned version.
 */
export async function checkConnections(
  encrypter: ConnectionEncrypter,
  muxers: StreamMuxerFactory,
  logger: ComponentLogger,
): Promise<void> {
  const [outbound, inbound] = MemoryConnection.pair(logger);
  using limit = deadline(TIMEOUT_MS);
  const options = { signal: limit.signal, skipStreamMuxerNegotiation: true };
  try {
    const [{ connection }] = await Promise.all([
      encrypter.secureOutbound(outbound, options),
      encrypter.secureInbound(inbound, options),
    ]);
    const muxer = muxers.createStreamMuxer(connection);
    const sent: FrameHeader[] = [];
    (muxer as unknown as FrameSender).sendFrame = (header) => {
      sent.push(header);
      return true;
    };
    // Its first frame is sent in a microtask, so before this resolves.
    await muxer.createStream();
    requireFrameHeader(sent[0]);
    muxer.abort(new Error("the check is over"));
  } finally {
    for (const end of [outbound, inbound]) end.abort(new Error("the check is over"));
  }
}

/** One end of an in-process connection. */
class MemoryConnection extends AbstractMultiaddrConnection {
  #other: MemoryConnection | undefined;

  static pair(logger: ComponentLogger): [MemoryConnection, MemoryConnection] {
    const [outbound, inbound] = (["outbound", "inbound"] as const).map((direction) =>
      new MemoryConnection({
        remoteAddr: multiaddr("/memory/check"),
        direction,
        log: logger.forComponent("eddy:check"),
      })
    ) as [MemoryConnection, MemoryConnection];
    outbound.#other = inbound;
    inbound.#other = outbound;
    return [outbound, inbound];
  }

  override sendData(data: Iterable<Uint8Array> & { readonly byteLength: number }) {
    for (const piece of data) queueMicrotask(() => this.#other?.onData(piece));
    return { sentBytes: data.byteLength, canSendMore: true };
  }

  override async sendClose(): Promise<void> {}
  override sendReset(): void {}
  override sendPause(): void {}
  override sendResume(): void {}
}
