import { LRUCache } from "lru-cache";
import type { Clock } from "../ports/clock.ts";

/** A bounded cache of entries that expire, by a clock that tests own. */
export function expiringCache<K extends string, V extends object | string | number | boolean>(
  clock: Pick<Clock, "now">,
  { ttlMs, ...bounds }: {
    /** How long an entry is valid unless `set` is told otherwise, ms; at least 1. */
    readonly ttlMs: number;
  } & Pick<LRUCache.OptionsBase<K, V, unknown>, "max" | "maxSize" | "sizeCalculation">,
): LRUCache<K, V> {
  // To the library, what began at 0 never expires.
  const perf = { now: () => clock.now() + 1 };
  return new LRUCache<K, V>({ max: 0, ...bounds, ttl: ttlMs, ttlResolution: 0, perf });
}
