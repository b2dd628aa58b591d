import assert from "node:assert/strict";
import type { Assignment } from "../../../lib/ports/rollout.ts";
import { eventually } from "../../support/eventually.ts";
import { test } from "../../support/test.ts";
import { Cluster, type TestNode } from "../cluster.ts";

const { signal } = new AbortController();
const electionsOf = (node: TestNode | undefined) => node?.router.elections ?? assert.fail();
const ask = (node: TestNode, key: string) =>
  electionsOf(node).assign(key, { small: false, signal });
const keyOf = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}`;

/** Nodes that know of each other that they agree on such things. */
async function agreeing(size: number): Promise<Cluster> {
  const cluster = await Cluster.of(size, { rollout: true });
  let keys = 1000;
  // A node that does not know yet what others speak decides for itself.
  await eventually("one decides for all", async () => {
    const key = keyOf(keys++);
    const assignments = await inTurn(cluster.nodes, key);
    return fetching(assignments) === 1;
  });
  return cluster;
}

async function inTurn(
  nodes: readonly TestNode[],
  key: string,
): Promise<(Assignment | undefined)[]> {
  const assignments: (Assignment | undefined)[] = [];
  for (const node of nodes) assignments.push(await ask(node, key));
  return assignments;
}

function fetching(assignments: readonly (Assignment | undefined)[]): number {
  return assignments.filter((turn) => turn?.type === "fetch").length;
}

test("fetch trees: one node fetches, the others follow in a line, whoever coordinates", async () => {
  await using cluster = await agreeing(3);
  for (let n = 0; n < 8; n++) {
    const assignments = await inTurn(cluster.nodes, keyOf(n));
    assert.equal(assignments[0]?.type, "fetch", keyOf(n));
    const [a, b] = cluster.nodes.map(({ router }) => router.id);
    const parents = assignments.slice(1).map((turn) => turn?.type === "follow" && turn.peer.id);
    assert.deepEqual(parents, [a, b]);
    assert.deepEqual(
      assignments.slice(1).map((turn) => turn?.type === "follow" && turn.depth),
      [0, 1],
    );
  }
});

test("fetch trees: a lone node fetches from upstream without asking", async () => {
  await using cluster = await Cluster.of(1, { rollout: true });
  const [node] = cluster.nodes;
  assert.deepEqual(await ask(node ?? assert.fail(), keyOf(1)), { type: "fetch" });
  assert.deepEqual(electionsOf(node).rollouts(), []);
});

test("fetch trees: after following failed a node leaves, and its content is expected for a while", async () => {
  await using cluster = await agreeing(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  const elections = electionsOf(b);
  await ask(a, keyOf(1));
  assert.equal(elections.expects(keyOf(1)), false);
  assert.equal((await ask(b, keyOf(1)))?.type, "follow");
  assert.equal(elections.expects(keyOf(1)), true);
  elections.gaveUp(keyOf(1));
  assert.deepEqual(await ask(b, keyOf(1)), { type: "leave" });
});

test("fetch trees: nodes agree after their coordinator is gone", async () => {
  await using cluster = await agreeing(4);
  const [gone, ...others] = cluster.nodes;
  await gone?.router.stop();
  for (let n = 0; n < 8; n++) {
    assert.equal(fetching(await inTurn(others, keyOf(n))), 1, keyOf(n));
  }
});
