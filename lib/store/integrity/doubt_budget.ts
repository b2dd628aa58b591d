import { LRUCache } from "lru-cache";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Doubter } from "../../ports/integrity.ts";

/** The same is read again once in so long, ms: what was seen here or by a node of the cluster. */
const AGAIN_MS = 60_000;
/** The same for the word of others. */
const STRANGER_AGAIN_MS = 600_000;
/** For all of them together something is read again once in so long, ms. */
const STRANGERS_MS = 5_000;
/** Whoever of them was wrong is not believed for so long, ms. */
const WRONG_MS = 600_000;
/** Digests and addresses that are remembered. */
const MAX_REMEMBERED = 4096;

/** Says which doubts are worth reading content again: reading costs more than to say so. */
export class DoubtBudget {
  readonly #clock: Pick<Clock, "now">;
  readonly #read = new LRUCache<Digest, number>({ max: MAX_REMEMBERED });
  readonly #distrusted = new LRUCache<string, number>({ max: MAX_REMEMBERED });
  #strangerAt = -Infinity;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Whether it is worth it. Who is no node of the cluster counts as wrong until he is right. */
  take(digest: Digest, by: Doubter | undefined): boolean {
    const now = this.#clock.now();
    const isTrusted = trusts(by);
    const passed = now - (this.#read.get(digest) ?? -Infinity);
    if (passed < (isTrusted ? AGAIN_MS : STRANGER_AGAIN_MS)) return false;
    if (!isTrusted && by !== undefined) {
      if ((this.#distrusted.get(by.address) ?? -Infinity) > now) return false;
      this.#distrusted.set(by.address, now + WRONG_MS);
    }
    this.#read.set(digest, now);
    return true;
  }

  /** How long to wait before something is read again that somebody doubts, ms. */
  waitMs(by: Doubter | undefined): number {
    return trusts(by) ? 0 : this.#strangerAt + STRANGERS_MS - this.#clock.now();
  }

  /** It is read again now. */
  begin(by: Doubter | undefined): void {
    if (!trusts(by)) this.#strangerAt = this.#clock.now();
  }

  /** What somebody doubted is damaged indeed. */
  wasRight(by: Doubter | undefined): void {
    if (by !== undefined) this.#distrusted.delete(by.address);
  }
}

/** What was seen here, and nodes of the cluster, are believed at once. */
export function trusts(by: Doubter | undefined): boolean {
  return by === undefined || by.proven;
}
