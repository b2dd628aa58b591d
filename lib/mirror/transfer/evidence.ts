import { createHash } from "node:crypto";
import { type Digest, splitDigest } from "../../oci/digest.ts";
import type { Contribution } from "../split/contributors.ts";
import type { Sender } from "../http/sender.ts";

/**
 * What several peers sent that is wrong as a whole: enough of it to tell who was the first to send
 * something wrong once the right content is at hand, without keeping the bytes.
 */
export class Evidence {
  readonly #algorithm: string;
  readonly #parts: readonly Contribution[];
  readonly #marks: readonly string[];

  /**
   * @param parts who sent what, in order, all of it.
   * @param marks hashes of all that came up to the end of each part but the last, in hexadecimal.
   */
  constructor(digest: Digest, parts: readonly Contribution[], marks: readonly string[]) {
    this.#algorithm = splitDigest(digest).algorithm;
    this.#parts = parts.map((
      { sender: { peer, address, arriving, isProven, isPrivate }, ...part },
    ) => ({
      ...part,
      // Not all that a sender may be: this is kept for longer.
      sender: { peer, address, arriving, isProven, isPrivate },
    }));
    this.#marks = marks;
  }

  /** Undefined if that one had not verified himself what he sent. */
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
