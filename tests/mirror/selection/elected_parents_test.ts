import assert from "node:assert/strict";
import { ElectedParents } from "../../../lib/mirror/selection/elected_parents.ts";
import type { Assignment, AssignmentOptions } from "../../../lib/ports/rollout.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

const { signal } = new AbortController();

function follow(id: string): Assignment {
  return { type: "follow", peer: { id, addresses: ["10.0.0.1"], registryPort: 1 }, depth: 0 };
}

function setup(turns: (Assignment | undefined)[]) {
  const asked: AssignmentOptions[] = [];
  const gaveUp: string[] = [];
  const clock = new FakeClock();
  const elections = {
    assign: (_: string, options: AssignmentOptions) => {
      asked.push(options);
      return Promise.resolve(turns.shift());
    },
    gaveUp: (key: string) => void gaveUp.push(key),
    expects: () => false,
  };
  const parents = new ElectedParents({ elections, clock }, { key: "k", small: false });
  const next = async () => (await parents.next({ signal }))?.peer.id;
  return { asked, gaveUp, clock, parents, next };
}

test("elected parents: one after the other, the one before is of no use", async () => {
  const { asked, parents, next } = setup([follow("a"), follow("b"), { type: "fetch" }]);
  assert.equal(await next(), "a");
  assert.equal(await next(), "b");
  assert.equal(parents.elected, false);
  assert.equal(await next(), undefined);
  assert.equal(parents.elected, true);
  assert.deepEqual(asked.map(({ failed }) => failed), [undefined, "a", "b"]);
  assert.equal(await next(), undefined);
  assert.equal(asked.length, 3, "it is not asked again");
});

test("elected parents: without an answer nobody is named, and nobody is elected", async () => {
  const { parents, next } = setup([undefined, follow("a")]);
  assert.equal(await next(), undefined);
  assert.equal(await next(), undefined);
  assert.equal(parents.elected, false);
});

test("elected parents: that those named had nothing is said, that nobody was named is not", async () => {
  const named = setup([follow("a")]);
  assert.equal(await named.next(), "a");
  await named.clock.advance(300);
  assert.equal(await named.next(), undefined);
  assert.deepEqual(named.gaveUp, ["k"]);
  for (const turns of [[undefined], [{ type: "fetch" } as const]]) {
    const { gaveUp, next } = setup(turns);
    assert.equal(await next(), undefined);
    assert.equal(await next(), undefined);
    assert.deepEqual(gaveUp, []);
  }
});

test("elected parents: names end with the time, and a broken body gives new time", async () => {
  const { asked, clock, parents, next } = setup([follow("a"), follow("b")]);
  assert.equal(await next(), "a");
  await clock.advance(300);
  assert.equal(await next(), undefined);
  assert.equal(asked.length, 1);
  parents.renew({ slow: false });
  assert.equal(await next(), "b");
  assert.deepEqual(asked.map(({ failed }) => failed), [undefined, "a"]);
});

test("elected parents: who is only slow is stayed with unless another is named", async () => {
  const { asked, parents, next } = setup([follow("a"), follow("a"), follow("b")]);
  assert.equal(await next(), "a");
  parents.renew({ slow: true });
  assert.equal(await next(), undefined);
  assert.equal(parents.elected, false);
  parents.renew({ slow: true });
  assert.equal(await next(), "b");
  assert.deepEqual(asked.map(({ slow }) => slow), [false, true, true]);
});

test("elected parents: it is said why this node goes upstream", async () => {
  const cases: [(Assignment | undefined)[], string | undefined][] = [
    [[{ type: "fetch" }], "elected"],
    [[undefined], "no-answer"],
    [[{ type: "leave" }], "parents-refused"],
    [[follow("a")], undefined],
    [[follow("a"), { type: "fetch" }], "elected"],
    [[follow("a"), undefined], "no-answer"],
  ];
  for (const [turns, outcome] of cases) {
    const names = turns.length;
    const { parents, next } = setup(turns);
    for (let n = 0; n < names; n++) await next();
    assert.equal(parents.outcome, outcome);
  }
  const late = setup([follow("a")]);
  await late.next();
  await late.clock.advance(300);
  await late.next();
  assert.equal(late.parents.outcome, "parents-refused");
});
