/** One byte of flags, four of length (gRPC over HTTP/2, Length-Prefixed-Message). */
const HEAD_BYTES = 5;

/** Frames a message for gRPC. */
export function grpcFrame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/**
 * Yields the messages of a gRPC body, whatever its chunk boundaries.
 *
 * @throws {RangeError} for a message that is compressed (none is requested), longer than
 * `maxBytes`, or truncated.
 */
export async function* grpcMessages(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = new Uint8Array(HEAD_BYTES);
  let message = head;
  let filled = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + message.length - filled);
      message.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < message.length) continue;
      filled = 0;
      if (message !== head) {
        yield message;
        message = head;
        continue;
      }
      const length = new DataView(head.buffer).getUint32(1);
      if (head[0] !== 0) throw new RangeError("message is compressed, though none was requested");
      if (length > maxBytes) {
        throw new RangeError(`message has ${length} bytes, want at most ${maxBytes}`);
      }
      if (length === 0) yield new Uint8Array();
      else message = new Uint8Array(length);
    }
  }
  if (filled > 0 || message !== head) throw new RangeError("message was cut off");
}
