import assert from "node:assert/strict";
import type { Assignment } from "../../../lib/ports/rollout.ts";
import { test } from "../../support/test.ts";
import { Cluster, eventually, type TestNode } from "../cluster.ts";

const { signal } = new AbortController();
const ask = (node: TestNode, key: string) =>
  node.router.elections.assign(key, { small: false, signal });
const keyOf = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}`;

/** Nodes that know of each other that they agree on such things. */
async function agreeing(size: number): Promise<Cluster> {
  const cluster = await Cluster.of(size, { rollout: true });
  let keys = 1000;
  // A node that does not know yet what others speak decides for itself.
  await eventually("one decides for all", async () => {
    const key = keyOf(keys++);
    const turns = await inTurn(cluster.nodes, key);
    return fetching(turns) === 1;
  });
  return cluster;
}

async function inTurn(
  nodes: readonly TestNode[],
  key: string,
): Promise<(Assignment | undefined)[]> {
  const turns: (Assignment | undefined)[] = [];
  for (const node of nodes) turns.push(await ask(node, key));
  return turns;
}

function fetching(turns: readonly (Assignment | undefined)[]): number {
  return turns.filter((turn) => turn?.type === "fetch").length;
}

test("turns: one fetches, the others follow in a line, whoever decides", async () => {
  await using cluster = await agreeing(3);
  for (let n = 0; n < 8; n++) {
    const turns = await inTurn(cluster.nodes, keyOf(n));
    assert.equal(turns[0]?.type, "fetch", keyOf(n));
    const [a, b] = cluster.nodes.map(({ router }) => router.id);
    const parents = turns.slice(1).map((turn) => turn?.type === "follow" && turn.peer.id);
    assert.deepEqual(parents, [a, b]);
    assert.deepEqual(
      turns.slice(1).map((turn) => turn?.type === "follow" && turn.depth),
      [0, 1],
    );
  }
});

test("turns: a node that is alone gets it from upstream, and asks nobody", async () => {
  await using cluster = await Cluster.of(1, { rollout: true });
  const [node] = cluster.nodes;
  assert.deepEqual(await ask(node ?? assert.fail(), keyOf(1)), { type: "fetch" });
  assert.deepEqual(node?.router.elections.rollouts(), []);
});

test("turns: who has waited in vain leaves, and what it asked for is expected for a while", async () => {
  await using cluster = await agreeing(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  const { elections } = b.router;
  await ask(a, keyOf(1));
  assert.equal(elections.expects(keyOf(1)), false);
  assert.equal((await ask(b, keyOf(1)))?.type, "follow");
  assert.equal(elections.expects(keyOf(1)), true);
  elections.gaveUp(keyOf(1));
  assert.deepEqual(await ask(b, keyOf(1)), { type: "leave" });
});

test("turns: where one who decided is gone the others agree all the same", async () => {
  await using cluster = await agreeing(4);
  const [gone, ...others] = cluster.nodes;
  await gone?.router.stop();
  for (let n = 0; n < 8; n++) {
    assert.equal(fetching(await inTurn(others, keyOf(n))), 1, keyOf(n));
  }
});
