import assert from "node:assert/strict";
import {
  ProviderStore,
  type ProviderStoreOptions,
} from "../../../lib/router/providers/provider_store.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

function makeStore(options: Partial<ProviderStoreOptions> = {}) {
  const clock = new FakeClock();
  const store = new ProviderStore<string>({ clock }, {
    ttlMs: 1000,
    maxRecords: 1000,
    maxRecordsPerProvider: 1000,
    maxProvidersPerKey: 1000,
    maxAnswer: 20,
    maxKeyLength: 10,
    ...options,
  });
  return { clock, store };
}

test("what was added is answered until it expires, even if nothing swept it", async () => {
  const { clock, store } = makeStore();
  store.add("k", "a");
  await clock.advance(999);
  assert.deepEqual(store.get("k"), ["a"]);
  await clock.advance(1);
  assert.deepEqual(store.get("k"), []);
  assert.equal(store.size, 0);
});

test("adding again renews a record and counts once", async () => {
  const { clock, store } = makeStore();
  store.add("k", "a");
  await clock.advance(600);
  store.add("k", "a");
  await clock.advance(600);
  assert.deepEqual(store.get("k"), ["a"]);
  assert.equal(store.size, 1);
});

test("one flooding provider is capped and takes nothing from others", () => {
  const { store } = makeStore({ maxRecordsPerProvider: 100 });
  const accepted = Array.from({ length: 5000 }, (_, i) => store.add(`k${i}`, "flood"));
  assert.equal(accepted.filter(Boolean).length, 100);
  assert(store.add("k0", "honest"));
  assert.equal(store.size, 101);
});

test("records are capped in all; room comes from what is removed", () => {
  const { store } = makeStore({ maxRecords: 10 });
  for (let i = 0; i < 20; i++) store.add(`k${i}`, `p${i}`);
  assert.equal(store.size, 10);
  assert.equal(store.add("new", "new"), false);
  store.remove("k0", "p0");
  assert.equal(store.add("new", "new"), true);
});

test("a full key gives up the record nearest to its expiry", async () => {
  const { clock, store } = makeStore({ maxProvidersPerKey: 2 });
  store.add("k", "old");
  await clock.advance(10);
  store.add("k", "newer");
  await clock.advance(10);
  store.add("k", "newest");
  assert.deepEqual(store.get("k").sort(), ["newer", "newest"]);
  assert.equal(store.size, 2);
});

test("keys that are too long are refused", () => {
  const { store } = makeStore();
  assert.equal(store.add("k".repeat(11), "a"), false);
  assert.equal(store.size, 0);
});

test("an answer is capped, and every provider gets its turn", () => {
  const { store } = makeStore();
  for (let i = 0; i < 200; i++) store.add("k", `p${i}`);
  const seen = new Set<string>();
  for (let round = 0; round < 500; round++) {
    const answer = store.get("k");
    assert.equal(answer.length, 20);
    assert.equal(new Set(answer).size, 20);
    answer.forEach((provider) => seen.add(provider));
  }
  assert.equal(seen.size, 200);
});

test("a provider that is gone leaves no record, in any key", () => {
  const { store } = makeStore();
  for (const key of ["a", "b", "c"]) store.add(key, "gone");
  store.add("a", "stays");
  store.removeProvider("gone");
  store.removeProvider("unknown");
  assert.deepEqual(["a", "b", "c"].map((key) => store.get(key)), [["stays"], [], []]);
  assert.equal(store.size, 1);
});

test("a sweep removes what expired and gives the provider its room back", async () => {
  const { clock, store } = makeStore({ maxRecordsPerProvider: 2 });
  store.add("a", "p");
  await clock.advance(500);
  store.add("b", "p");
  await clock.advance(500);
  store.sweep();
  assert.equal(store.size, 1);
  assert.equal(store.add("c", "p"), true);
});
