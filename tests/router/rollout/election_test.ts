import assert from "node:assert/strict";
import { Election } from "../../../lib/router/rollout/election.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

const KEY = "sha256:aa";

function setup() {
  const clock = new FakeClock();
  const election = new Election(clock);
  const ask = (id: string, failed?: string, slow = false) => {
    const decision = election.decide({ key: KEY, id, failed, slow });
    return decision.type === "fetch" ? "upstream" : decision.id;
  };
  return { clock, election, ask };
}

test("election: the first node fetches, the others form a line behind it", () => {
  const { ask } = setup();
  assert.deepEqual(["a", "b", "c", "d"].map((id) => ask(id)), ["upstream", "a", "b", "c"]);
});

test("election: a repeated question gets the same assignment", () => {
  const { ask } = setup();
  for (const id of ["a", "b", "a", "b"]) ask(id);
  assert.equal(ask("a"), "upstream");
  assert.equal(ask("b"), "a");
});

test("election: keys are independent", () => {
  const { election, ask } = setup();
  ask("a");
  assert.deepEqual(election.decide({ key: "sha256:bb", id: "b" }), { type: "fetch" });
});

test("election: small content comes from one node", () => {
  const election = new Election(new FakeClock());
  const ids = ["a", "b", "c", "d"];
  const decisions = ids.map((id) => election.decide({ key: KEY, id, small: true }));
  const follow = { type: "follow", id: "a", depth: 0 };
  assert.deepEqual(decisions, [{ type: "fetch" }, follow, follow, follow]);
});

test("election: when the fetching node fails, exactly one other is assigned to fetch at once", () => {
  const { ask } = setup();
  for (const id of ["a", "b", "c"]) ask(id);
  assert.equal(ask("b", "a"), "upstream");
  assert.equal(ask("d"), "c", "c still follows b");
});

test("election: a node whose parent was reassigned meanwhile stays with it, once", async () => {
  const { clock, ask } = setup();
  for (const id of ["a", "b", "c"]) ask(id);
  await clock.advance(1);
  assert.equal(ask("b", "a"), "upstream");
  assert.equal(ask("c", "b"), "b");
  await clock.advance(1);
  assert.equal(ask("c", "b"), "upstream", "that did not help, and nobody else fetches");
});

test("election: failed nodes and their descendants are no parents", () => {
  const { ask } = setup();
  for (const id of ["a", "b", "c"]) ask(id);
  assert.equal(ask("c", "b"), "a");
  assert.equal(ask("d"), "c", "not b, which failed and sends to nobody");
});

test("election: a node that was reported dead and asks is alive", () => {
  const { ask } = setup();
  for (const id of ["a", "b", "c"]) ask(id);
  ask("c", "b");
  assert.equal(ask("b"), "a");
  assert.equal(ask("e"), "b");
});

test("election: trees reach their maximum depth before a node has two children", () => {
  const { election } = setup();
  const depths = Array.from({ length: 200 }, (_, n) => {
    const decision = election.decide({ key: KEY, id: `n${n}` });
    return decision.type === "fetch" ? -1 : decision.depth;
  });
  assert.equal(Math.max(...depths), 8);
  const children = new Map<string | undefined, number>();
  for (const { parent } of election.snapshot()[0]?.members ?? []) {
    children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  assert.equal(children.get(undefined), 1);
  assert.ok(Math.max(...children.values()) <= 4);
});

test("election: a tree without questions for a minute is forgotten", async () => {
  const { clock, election, ask } = setup();
  ask("a");
  await clock.advance(60_000);
  assert.deepEqual(election.snapshot(), []);
  assert.equal(ask("b"), "upstream");
});

test("election: with a slow fetching node a second one fetches, and no third", async () => {
  const { clock, ask } = setup();
  for (const id of ["a", "b"]) ask(id);
  await clock.advance(1);
  assert.equal(ask("b", "a", true), "upstream");
  assert.equal(ask("c"), "a", "it did not fail");
  await clock.advance(1);
  assert.equal(ask("c", "a", true), "b");
  await clock.advance(1);
  assert.equal(ask("c", "b", true), "b", "there is nobody else");
});

test("election: a slow parent in the middle is bypassed, without upstream", async () => {
  const { clock, ask } = setup();
  for (const id of ["a", "b", "c"]) ask(id);
  await clock.advance(1);
  assert.equal(ask("c", "b", true), "a");
});

/** Asks for nodes of zones, one after the other; returns who follows whom. */
function inZones(zones: readonly (string | undefined)[], options = {}) {
  const election = new Election(new FakeClock(), options);
  const asked = zones.map((zone, n) => ({ key: KEY, id: `n${n}`, zone }));
  return asked.map((ballot) => {
    const decision = election.decide(ballot);
    if (decision.type === "fetch") return undefined;
    const parent = asked.find(({ id }) => id === decision.id);
    return { parent: decision.id, leaves: parent?.zone !== ballot.zone, depth: decision.depth };
  });
}

test("election: a node follows a parent in its zone, the first of a zone any parent", () => {
  const follows = inZones(["a", "b", "a", "b", "c"]);
  assert.deepEqual(follows.map((follow) => follow?.parent), [undefined, "n0", "n0", "n1", "n2"]);
});

test("election: content crosses zones once per further zone, in any order of nodes", () => {
  const zones = Array.from({ length: 200 }, (_, n) => "abc"[(n * 7 + Math.floor(n / 5)) % 3]);
  const follows = inZones(zones).filter((follow) => follow !== undefined);
  assert.equal(follows.length, 199);
  assert.equal(follows.filter(({ leaves }) => leaves).length, 2);
  assert.ok(follows.every(({ depth }) => depth < 9));
});

test("election: without zones, and in one zone, the tree is a line", () => {
  for (const zone of [undefined, "a"]) {
    const parents = inZones([zone, zone, zone, zone]).map((follow) => follow?.parent);
    assert.deepEqual(parents, [undefined, "n0", "n1", "n2"]);
  }
});

test("election: when a zone's parents are full, parents in other zones are assigned", () => {
  const parents = (zones: string[], options: object) =>
    inZones(zones, options).map((follow) => follow?.parent);
  assert.deepEqual(
    parents(["a", "b", "b", "a", "b"], { zoneFanOut: 1 }),
    [undefined, "n0", "n1", "n2", "n3"],
  );
  assert.deepEqual(parents(["a", "b", "b"], { maxDepth: 1 }), [undefined, "n0", "n0"]);
});
