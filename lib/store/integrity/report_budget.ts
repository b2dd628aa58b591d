import { LRUCache } from "lru-cache";
import { expiringCache } from "../../async/expiring_cache.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Reporter } from "../../ports/integrity.ts";

/** Interval between checks of the same content reported by this node or a verified node, ms. */
const INTERVAL_MS = 60_000;
/** The same for unverified reporters. */
const UNVERIFIED_INTERVAL_MS = 600_000;
/** Interval between any two checks for unverified reporters, ms. */
const UNVERIFIED_SPACING_MS = 5_000;
/** How long an unverified reporter is ignored after a false report, ms. */
const IGNORE_MS = 600_000;
/** Cached digests and addresses. */
const MAX_REMEMBERED = 4096;

/**
 * Decides which reports of damage are worth a check: reading content costs more than reporting it.
 */
export class ReportBudget {
  readonly #clock: Pick<Clock, "now">;
  readonly #read = new LRUCache<Digest, number>({ max: MAX_REMEMBERED });
  readonly #distrusted: LRUCache<string, true>;
  #unverifiedAt = -Infinity;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#distrusted = expiringCache(clock, { max: MAX_REMEMBERED, ttlMs: IGNORE_MS });
  }

  /** Whether to check. An unverified reporter counts as wrong until a check confirms its report. */
  take(digest: Digest, by: Reporter | undefined): boolean {
    const now = this.#clock.now();
    const isTrusted = trusts(by);
    const passed = now - (this.#read.get(digest) ?? -Infinity);
    if (passed < (isTrusted ? INTERVAL_MS : UNVERIFIED_INTERVAL_MS)) return false;
    if (!isTrusted && by !== undefined) {
      if (this.#distrusted.has(by.address)) return false;
      this.#distrusted.set(by.address, true);
    }
    this.#read.set(digest, now);
    return true;
  }

  /** Delay before the next check for a reporter, ms. */
  waitMs(by: Reporter | undefined): number {
    return trusts(by) ? 0 : this.#unverifiedAt + UNVERIFIED_SPACING_MS - this.#clock.now();
  }

  /** Records the start of a check. */
  begin(by: Reporter | undefined): void {
    if (!trusts(by)) this.#unverifiedAt = this.#clock.now();
  }

  /** Records that a check confirmed a report. */
  confirmed(by: Reporter | undefined): void {
    if (by !== undefined) this.#distrusted.delete(by.address);
  }
}

/** This node's own findings and verified nodes are trusted at once. */
export function trusts(by: Reporter | undefined): boolean {
  return by === undefined || by.proven;
}
