import { yamux } from "@chainsafe/libp2p-yamux";
import { requireMembers } from "./library.ts";

/** Half of a stream's initial window: the sender never runs out, and go-libp2p does the same. */
const MIN_CREDIT_BYTES = 128 * 1024;
/** Maximum streams with withheld credit. */
const MAX_STREAMS = 4096;
/** Frame type and flags (yamux specification, "Framing"). */
const WINDOW_UPDATE = 1;
const FIN_OR_RST = 4 | 8;

/** A frame's header in the library. */
export interface FrameHeader {
  readonly type: number;
  readonly flag: number;
  readonly streamID: number;
  readonly length: number;
}

/** The used part of the library's muxer; not in a public type. */
export interface FrameSender {
  sendFrame(header: FrameHeader, data?: unknown): boolean;
}

/** The used part of Noise's connection; not in a public type. */
interface FrameReceiver {
  readonly decoder: { lengthDecoder: (data: { readonly length: number }) => number };
}

/** The error by which the library detects an incomplete length prefix. */
const TOO_SHORT = new RangeError("the length of a message is incomplete");
const LENGTH_BYTES = 2;

/**
 * The library's yamux with batched window updates. By itself it sends one after each frame: for the
 * DHT's small messages that doubles the packets, each encrypted, sent and decrypted before the
 * request in it is processed.
 */
export function frugalYamux(): ReturnType<typeof yamux> {
  const create = yamux();
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      expectShortReads(connection as unknown as FrameReceiver);
      const muxer = createStreamMuxer(connection);
      holdCredit(muxer as unknown as FrameSender);
      return muxer;
    };
    return factory;
  };
}

/**
 * After each message Noise's decoder reads the next length and learns by an error that it is
 * incomplete. Creating an error, with its stack, costs more than decrypting a DHT message.
 */
export function expectShortReads({ decoder }: FrameReceiver): void {
  requireMembers("@chainsafe/libp2p-noise", { decoder }, { decoder: "object" });
  requireMembers("@chainsafe/libp2p-noise", decoder, { lengthDecoder: "function" });
  const decode = decoder.lengthDecoder;
  decoder.lengthDecoder = (data) => {
    if (data.length < LENGTH_BYTES) throw TOO_SHORT;
    return decode(data);
  };
}

/** Collects a muxer's window updates without flags, by stream. */
export function holdCredit(muxer: FrameSender): void {
  requireMembers("@chainsafe/libp2p-yamux", muxer, { sendFrame: "function" });
  const send = muxer.sendFrame.bind(muxer);
  const held = new Map<number, number>();
  muxer.sendFrame = (header, data) => {
    const { type, flag, streamID } = header;
    if ((flag & FIN_OR_RST) !== 0) held.delete(streamID);
    if (type !== WINDOW_UPDATE || flag !== 0) return send(header, data);
    const length = (held.get(streamID) ?? 0) + header.length;
    if (length < MIN_CREDIT_BYTES && (held.has(streamID) || held.size < MAX_STREAMS)) {
      held.set(streamID, length);
      return true;
    }
    held.delete(streamID);
    return send({ ...header, length }, data);
  };
}

/** @throws {Error} unless the library's frames have the header that {@link holdCredit} reads. */
export function requireFrameHeader(header: unknown): void {
  requireMembers("@chainsafe/libp2p-yamux", header, {
    type: "number",
    flag: "number",
    streamID: "number",
    length: "number",
  });
}
