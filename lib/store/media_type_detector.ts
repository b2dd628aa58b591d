import { SingleFlight } from "../async/single_flight.ts";
import { Slots } from "../async/slots.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { detectMediaType, MAX_MANIFEST_BYTES, OCTET_STREAM } from "../oci/media_type.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { SmallContentReader } from "./manifest_links.ts";

/** Concurrent detections; one of a 4 MiB manifest takes some 16 MiB while it is parsed. */
const CONCURRENCY = 2;

/**
 * Detects media types by content, since content stores do not keep them. Concurrent requests for
 * one digest share a detection, and few are in progress, which bounds the memory.
 */
export class MediaTypeDetector {
  readonly #read: SmallContentReader;
  readonly #flights = new SingleFlight<string | undefined>();
  readonly #slots = new Slots(CONCURRENCY);

  constructor(read: SmallContentReader) {
    this.#read = read;
  }

  /**
   * Undefined if the content was removed in the meantime.
   *
   * @throws what the reader throws, or the signal's reason when it aborts.
   */
  async detect(
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    options: Cancellable,
  ): Promise<string | undefined> {
    if (size > MAX_MANIFEST_BYTES) return OCTET_STREAM;
    const work = async (signal: AbortSignal) => {
      signal.throwIfAborted();
      const content = await this.#read(digest, { signal });
      return content && detectMediaType(content);
    };
    return await this.#flights.run(
      digest,
      options,
      (signal) => this.#slots.run(() => work(signal)),
    );
  }
}
