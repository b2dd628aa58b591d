import assert from "node:assert/strict";
import { expiringCache } from "../../lib/async/expiring_cache.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

test("expiring cache: entries of any time expire, and the least recently used go first", async () => {
  const clock = new FakeClock();
  const cache = expiringCache<string, number>(clock, { max: 2, ttlMs: 1000 });
  cache.set("begun at 0", 1);
  cache.set("longer", 2, { ttl: 5000 });
  await clock.advance(999);
  assert.equal(cache.get("begun at 0"), 1);
  await clock.advance(2);
  assert.deepEqual([cache.get("begun at 0"), cache.has("longer")], [undefined, true]);
  cache.set("a", 3);
  cache.set("b", 4);
  assert.deepEqual(["longer", "a", "b"].map((key) => cache.get(key)), [undefined, 3, 4]);
});
