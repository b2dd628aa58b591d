import assert from "node:assert/strict";
import fc from "fast-check";
import { UsedProofs } from "../../lib/access/used_proofs.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";

/** A clock whose time a test moves without waiting. */
class Time {
  ms = 0;
  now = () => this.ms;
}

test("used proofs: when more are used than can be remembered, another term begins", () => {
  const used = new UsedProofs({ clock: new FakeClock(), today: () => 0 }, {
    goodForMs: 1000,
    max: 3,
  });
  const { term } = used;
  for (const id of ["1", "2", "3"]) assert.equal(used.use(id, term), true);
  assert.equal(used.use("4", term), false);
  assert.notEqual(used.term, term);
  for (const id of ["1", "2", "3", "4"]) assert.equal(used.use(id, term), false);
  assert.equal(used.use("4", used.term), true);
});

test("used proofs: what is not good any more makes room", () => {
  const time = new Time();
  const used = new UsedProofs({ clock: time, today: time.now }, { goodForMs: 1000, max: 2 });
  const { term } = used;
  for (let id = 0; id < 100; id++) {
    assert.equal(used.use(`${id}`, term), true);
    time.ms += 3001;
  }
  assert.equal(used.term, term);
});

test("used proofs: whatever time does, none is used twice while it is good", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({
        pass: fc.integer({ min: 0, max: 3000 }),
        set: fc.oneof(fc.constant(0), fc.integer({ min: -20_000, max: 20_000 })),
        id: fc.integer({ min: 0, max: 5 }),
      }),
      { maxLength: 60 },
    ),
    (steps) => {
      const time = new Time();
      let ahead = 0;
      const today = () => time.ms + ahead;
      const used = new UsedProofs({ clock: time, today }, { goodForMs: 2000, max: 4 });
      // Each is made for one term, and good from then on by the time of day.
      const made = new Map<number, { term: string; until: number }>();
      const taken = new Set<number>();
      for (const { pass, set, id } of steps) {
        time.ms += pass;
        ahead += set;
        const { term } = used;
        const proof = made.get(id) ?? { term, until: today() + 2000 };
        made.set(id, proof);
        if (today() > proof.until) continue;
        const accepted = used.use(`${id}`, proof.term);
        assert.ok(!accepted || !taken.has(id));
        if (accepted) taken.add(id);
      }
    },
  ));
});
