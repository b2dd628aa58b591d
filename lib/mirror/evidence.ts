import { createHash } from "node:crypto";
import type { Part } from "./answer.ts";
import type { Contribution } from "./contributors.ts";
import type { Sender } from "./sender.ts";

interface Exhibit extends Contribution {
  readonly hash: string;
}

/**
 * What several peers sent that is wrong as a whole: enough of it to tell who it was once the right
 * content is at hand, without keeping the bytes.
 */
export class Evidence {
  readonly #exhibits: readonly Exhibit[];

  /** @param chunks all of it, in order. */
  constructor(contributions: readonly Contribution[], chunks: readonly Uint8Array[]) {
    this.#exhibits = contributions.map((each) => ({ ...each, hash: hashPart(chunks, each) }));
  }

  /** Those who sent other bytes than the right ones, as far as they said that they hold them. */
  liars(right: readonly Uint8Array[]): Sender[] {
    return this.#exhibits.filter((each) => hashPart(right, each) !== each.hash)
      .map(({ sender }) => sender).filter(({ arriving }) => !arriving);
  }
}

function hashPart(chunks: readonly Uint8Array[], { start, end }: Part): string {
  const hash = createHash("sha256");
  let at = 0;
  for (const chunk of chunks) {
    if (at + chunk.length > start && at < end) {
      hash.update(chunk.subarray(Math.max(start - at, 0), end - at));
    }
    at += chunk.length;
  }
  return hash.digest("hex");
}
