import { LRUCache } from "lru-cache";
import type { Clock } from "../ports/clock.ts";

/** Settings of {@link expiringCache}. */
export interface ExpiringCacheOptions {
  /** Entries that are kept, the least recently used of which go first. */
  readonly max: number;
  /** How long an entry is valid unless `set` is told otherwise, ms; at least 1. */
  readonly ttlMs: number;
}

/** A bounded cache of entries that expire, by a clock that tests own. */
export function expiringCache<K extends string, V extends object | string | number | boolean>(
  clock: Pick<Clock, "now">,
  { max, ttlMs }: ExpiringCacheOptions,
): LRUCache<K, V> {
  // To the library, what began at 0 never expires.
  const perf = { now: () => clock.now() + 1 };
  return new LRUCache({ max, ttl: ttlMs, ttlResolution: 0, perf });
}
