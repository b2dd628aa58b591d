import { createHash } from "node:crypto";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Contribution } from "../split/contributors.ts";
import type { Sender } from "../http/sender.ts";

/**
 * Evidence of content that several peers sent and that is wrong as a whole. Once the right content
 * is known, it tells which peer was the first to send wrong bytes. The bytes themselves are not
 * kept.
 */
export class Evidence {
  readonly #algorithm: string;
  readonly #parts: readonly Contribution[];
  readonly #marks: readonly string[];

  /**
   * @param parts all of the content in order, with its senders.
   * @param marks hashes of the content up to the end of each part but the last, in hexadecimal.
   */
  constructor(digest: Digest, parts: readonly Contribution[], marks: readonly string[]) {
    this.#algorithm = splitDigest(digest).algorithm;
    this.#parts = parts.map((
      { sender: { peer, address, arriving, isProven, isPrivate }, ...part },
    ) => ({
      ...part,
      // Only these fields: a sender may be a whole connection, and this is kept for longer.
      sender: { peer, address, arriving, isProven, isPrivate },
    }));
    this.#marks = marks;
  }

  /** The first sender of wrong bytes; undefined if it had not verified them itself. */
  liar(right: readonly Uint8Array[]): Sender | undefined {
    const hash = createHash(this.#algorithm);
    const ends = this.#parts.map(({ end }) => end);
    let wrong = ends.length - 1;
    let part = 0;
    let at = 0;
    for (const chunk of right) {
      let from = 0;
      while (part < ends.length - 1 && (ends[part] ?? 0) <= at + chunk.length) {
        const to = (ends[part] ?? 0) - at;
        hash.update(chunk.subarray(from, to));
        if (hash.copy().digest("hex") !== this.#marks[part]) {
          wrong = Math.min(wrong, part);
        }
        from = to;
        part++;
      }
      hash.update(chunk.subarray(from));
      at += chunk.length;
    }
    const sender = this.#parts[wrong]?.sender;
    return sender?.arriving ? undefined : sender;
  }
}
