import type { ByteRange } from "../oci/range.ts";

/** The fastest measured read size: 64 KiB has a third of its throughput, 1 MiB varies. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Minimum size of the last of several chunks. Without TCP_NODELAY (which the runtime cannot set for
 * TLS) the server holds back a small last segment until the one before is acknowledged. On
 * loopback, with segments of 64 KiB, that takes up to 40 ms.
 */
const MIN_LAST_BYTES = 64 * 1024;

/**
 * Streams a part of an open file. It reads on demand, closes the file at the end, on cancel and on
 * failure, and errors if the file ends before the range does: a truncated body must never look
 * complete.
 *
 * @param file at any position; owned by the stream from here on.
 * @param range bytes to send, both ends included; an empty range has `end` one below `start`.
 */
export function fileStream(
  file: Deno.FsFile,
  range: ByteRange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let remaining = range.end - range.start + 1;
  let positioned = range.start === 0;
  let closed = false;
  const close = () => {
    if (!closed) file.close();
    closed = true;
  };
  return new ReadableStream({
    start(controller) {
      if (remaining > 0) return;
      close();
      controller.close();
    },
    async pull(controller) {
      try {
        if (!positioned) await file.seek(range.start, Deno.SeekMode.Start);
        positioned = true;
        const last = remaining < CHUNK_BYTES + MIN_LAST_BYTES;
        const chunk = new Uint8Array(last ? remaining : CHUNK_BYTES);
        const read = await file.read(chunk);
        if (closed) return;
        if (read === null) throw new Error(`file ended ${remaining} bytes before its known size`);
        controller.enqueue(read === chunk.length ? chunk : chunk.subarray(0, read));
        remaining -= read;
        if (remaining > 0) return;
        close();
        controller.close();
      } catch (error) {
        if (closed) return;
        close();
        controller.error(error);
      }
    },
    cancel: close,
  });
}
