import { LRUCache } from "lru-cache";
import type { Metrics } from "../../ports/metrics.ts";
import type { MissReason } from "../../ports/mirror.ts";
import type { Totals } from "./debug_source.ts";

/** Maximum peers and addresses with separate sums. */
const MAX_TRACKED = 10_000;

/** Sums metrics by peer, which would be too many labels for Prometheus. */
export class Traffic {
  readonly #fetched = new LRUCache<string, number>({ max: MAX_TRACKED });
  readonly #served = new LRUCache<string, number>({ max: MAX_TRACKED });
  readonly #reasons: Partial<Record<MissReason | "other", number>> = {};
  readonly #sums = { local: 0, hit: 0, miss: 0, bytesFrom: 0, bytesTo: 0 };

  /** Wraps metrics: passes everything on to `next` and sums it. */
  observe(next: Metrics): Metrics {
    return {
      ...next,
      mirrorRequest: (registry, outcome, reason) => {
        this.#sums[outcome]++;
        if (outcome === "miss") {
          this.#reasons[reason || "other"] = (this.#reasons[reason || "other"] ?? 0) + 1;
        }
        next.mirrorRequest(registry, outcome, reason);
      },
      bytesServed: (bytes, address) => {
        this.#sums.bytesTo += bytes;
        this.#served.set(address, (this.#served.get(address) ?? 0) + bytes);
        next.bytesServed(bytes, address);
      },
      bytesFetched: (bytes, peer) => {
        this.#sums.bytesFrom += bytes;
        this.#fetched.set(peer, (this.#fetched.get(peer) ?? 0) + bytes);
        next.bytesFetched(bytes, peer);
      },
    };
  }

  /** Bytes received from a peer. */
  from(peer: string): number {
    return this.#fetched.get(peer) ?? 0;
  }

  /** Bytes sent to an IP address. */
  to(address: string): number {
    return this.#served.get(address) ?? 0;
  }

  totals(): Totals {
    const { local, hit, miss, bytesFrom, bytesTo } = this.#sums;
    return {
      local,
      hits: hit,
      misses: miss,
      missReasons: { ...this.#reasons },
      bytesFrom,
      bytesTo,
    };
  }
}
