import { yamux } from "@chainsafe/libp2p-yamux";

/** Half of a stream's first window: a sender never runs dry, and go-libp2p does the same. */
const LEAST_CREDIT_BYTES = 128 * 1024;
/** Streams for which credit is held back. */
const MAX_STREAMS = 4096;
/** Frame type and flags (yamux specification, "Framing"). */
const WINDOW_UPDATE = 1;
const FIN_OR_RST = 4 | 8;

/** A frame's head, as the library has it. */
interface FrameHeader {
  readonly type: number;
  readonly flag: number;
  readonly streamID: number;
  readonly length: number;
}

/** The part of the library's muxer that is used; public at run time only, hence all in this file. */
interface FrameSender {
  sendFrame(header: FrameHeader, data?: unknown): boolean;
}

/** The part of a secured connection that is used; public at run time only. */
interface FrameReceiver {
  readonly decoder?: { lengthDecoder: (data: { readonly length: number }) => number };
}

/** What the library takes for "the length is not there yet". */
const TOO_SHORT = new RangeError("the length of a message is incomplete");
const LENGTH_BYTES = 2;

/**
 * The library's yamux, which tells the other side of new credit once there is enough of it. By
 * itself it does so after each frame: for the small messages of a DHT as many packets again, each
 * encrypted, sent and decrypted before the question in it is looked at.
 */
export function frugalYamux(): ReturnType<typeof yamux> {
  const create = yamux();
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      expectShortReads(connection as FrameReceiver);
      const muxer = createStreamMuxer(connection);
      holdCredit(muxer as unknown as FrameSender);
      return muxer;
    };
    return factory;
  };
}

/**
 * After each message Noise's decoder looks for the length of the next and learns by an error that
 * there is none. To make one, with its stack, costs more than to decrypt a message of the DHT.
 */
export function expectShortReads({ decoder }: FrameReceiver): void {
  if (decoder === undefined) return;
  const decode = decoder.lengthDecoder;
  decoder.lengthDecoder = (data) => {
    if (data.length < LENGTH_BYTES) throw TOO_SHORT;
    return decode(data);
  };
}

/** Makes a muxer collect window updates without flags by stream. */
export function holdCredit(muxer: FrameSender): void {
  const send = muxer.sendFrame.bind(muxer);
  const held = new Map<number, number>();
  muxer.sendFrame = (header, data) => {
    const { type, flag, streamID } = header;
    if ((flag & FIN_OR_RST) !== 0) held.delete(streamID);
    if (type !== WINDOW_UPDATE || flag !== 0) return send(header, data);
    const length = (held.get(streamID) ?? 0) + header.length;
    if (length < LEAST_CREDIT_BYTES && (held.has(streamID) || held.size < MAX_STREAMS)) {
      held.set(streamID, length);
      return true;
    }
    held.delete(streamID);
    return send({ ...header, length }, data);
  };
}
