import assert from "node:assert/strict";
import { systemClock } from "../../../lib/async/clock.ts";
import { Departures } from "../../../lib/router/peers/departures.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { test } from "../../support/test.ts";
import { addressesOf, Cluster, findsExactly, lookupAll, makeNode } from "../cluster.ts";

const KEY = `sha256:${"a".repeat(64)}`;

test("goodbye: a node that leaves is dropped while its router still runs", async () => {
  await using cluster = await Cluster.of(4);
  const [first, second, leaver, watcher] = cluster.nodes;
  assert.ok(first && second && leaver && watcher);
  await leaver.router.advertise([KEY]);
  for (const node of [first, second, watcher]) await findsExactly(node, KEY, [leaver]);

  await leaver.router.leave();

  for (const { router } of [first, second, watcher]) {
    await eventually("the goodbye is heard", () => router.hasLeft(leaver.router.id));
    assert.ok(!router.hasLeft(watcher.router.id));
  }
  await eventually(
    "routing tables are rid of it",
    () =>
      [first, second, watcher].every(({ router }) =>
        router.peers().every(({ id }) => id !== leaver.router.id)
      ),
  );
  for (const node of [first, second, watcher]) assert.deepEqual(await lookupAll(node, KEY), []);
  // Neither the monitor's rounds nor lookups bring it back as long as it is there.
  await systemClock.sleep(1500);
  for (const node of [first, second, watcher]) {
    assert.ok(node.router.peers().every(({ id }) => id !== leaver.router.id));
    assert.deepEqual(await lookupAll(node, KEY), []);
  }
});

test("goodbye: a node that meets one that leaves is told so", async () => {
  await using cluster = await Cluster.of(2);
  const [first, leaver] = cluster.nodes;
  assert.ok(first && leaver);
  await leaver.router.leave();
  const late = await cluster.add(addressesOf(leaver));
  await eventually("the goodbye is heard", () => late.router.hasLeft(leaver.router.id));
});

test("goodbye: a node that comes back under its old identity is found again", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "eddy-goodbye-" });
  try {
    await using cluster = await Cluster.of(2);
    const [first] = cluster.nodes;
    assert.ok(first);
    const before = await makeNode(addressesOf(first), { dataDir });
    await before.router.start();
    await before.router.advertise([KEY]);
    await findsExactly(first, KEY, [before]);
    await before.router.leave();
    await before.router.stop();
    await eventually("the goodbye is heard", () => first.router.hasLeft(before.router.id));

    const after = await cluster.add(addressesOf(first), { dataDir });
    assert.equal(after.router.id, before.router.id);
    await after.router.advertise([KEY]);
    await findsExactly(first, KEY, [after]);
    assert.ok(!first.router.hasLeft(after.router.id));
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

test("departures: remembered for a while, bounded, forgotten on return", async () => {
  const clock = new FakeClock();
  const departures = new Departures(clock);
  departures.add("a");
  assert.ok(departures.has("a"));
  departures.delete("a");
  assert.ok(!departures.has("a"));
  for (let i = 0; i < 2000; i++) departures.add(`peer-${i}`);
  assert.ok(!departures.has("peer-0"), "the eldest made room");
  assert.ok(departures.has("peer-1999"));
  await clock.advance(20 * 60_000);
  assert.ok(!departures.has("peer-1999"));
});
