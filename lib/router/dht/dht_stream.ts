import type { Stream } from "@libp2p/interface";
import { joinBytes } from "../../net/bytes.ts";
import { decodeVarint, DhtMessageError } from "./dht_message.ts";

/** Longest message, bytes; one with 64 peers of 16 addresses is shorter. */
const MAX_FRAME_BYTES = 256 * 1024;
/** Bytes buffered for a slow reader before the sender must wait. */
const MAX_HELD_BYTES = 256 * 1024;
const NOTHING = new Uint8Array(0);

/** Splits received bytes into messages with length prefixes. */
export class FrameDecoder {
  #rest: Uint8Array = NOTHING;

  /**
   * The messages completed by this chunk.
   *
   * @throws {DhtMessageError} if one is too long.
   */
  *push(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    const bytes = this.#rest.length === 0 ? piece : joinBytes([this.#rest, piece]);
    this.#rest = NOTHING;
    let offset = 0;
    while (offset < bytes.length) {
      const length = decodeVarint(bytes, offset);
      if (length === undefined) break;
      const end = length.end + length.value;
      if (length.value > MAX_FRAME_BYTES) {
        throw new DhtMessageError(`message of ${length.value} bytes, at most ${MAX_FRAME_BYTES}`);
      }
      if (end > bytes.length) break;
      offset = end;
      yield bytes.subarray(length.end, end);
    }
    this.#rest = bytes.subarray(offset);
  }
}

/**
 * Yields the bytes of a stream until the peer closes it. While the reader is slow the stream is
 * paused, which makes the peer wait.
 *
 * @throws the error that broke the stream.
 */
export async function* readStream(stream: Stream): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces: Uint8Array[] = [];
  let held = 0;
  let ended = stream.readableEnded;
  let broken: Error | undefined;
  let wake = Promise.withResolvers<void>();
  const onMessage = ({ data }: { data: Uint8Array | { subarray(): Uint8Array } }) => {
    const piece = data.subarray();
    pieces.push(piece);
    held += piece.length;
    if (held > MAX_HELD_BYTES && stream.readStatus === "readable") stream.pause();
    wake.resolve();
  };
  const onClose = ({ error }: { error?: Error | undefined }) => {
    ended = true;
    broken = error;
    wake.resolve();
  };
  const onEnd = () => {
    ended = true;
    wake.resolve();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("close", onClose);
  stream.addEventListener("end", onEnd);
  try {
    while (true) {
      const piece = pieces.shift();
      if (piece !== undefined) {
        held -= piece.length;
        yield piece;
      } else if (stream.readStatus === "paused") stream.resume();
      else if (broken !== undefined) throw broken;
      else if (ended) return;
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  } finally {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("close", onClose);
    stream.removeEventListener("end", onEnd);
  }
}
