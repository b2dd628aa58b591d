import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { Leases, Wanted } from "../../lib/ports/leases.ts";
import type { Case } from "./conformance.ts";

/** Leases to be tested. */
export interface LeaseFixture extends AsyncDisposable {
  /** The leases of one agent of a node, and of another one of the same node. */
  agent(): Leases;
  /** Lets time pass for all agents. */
  advance(ms: number): void;
}

const never = { signal: new AbortController().signal };
const A = digestOf("a layer");
const B = digestOf("another layer");
const C = digestOf("a third layer");

function wanted(added: Digest[] = [], recorded: Digest[] = []): Wanted {
  return { added, recorded };
}

/** What is kept, as an agent reads it that has just been started. */
async function keptBy(fixture: LeaseFixture): Promise<string[]> {
  return [...await fixture.agent().renew(wanted(), never)].sort();
}

/** What every adapter of {@link Leases} does. */
export const leaseCases: readonly Case<LeaseFixture>[] = [
  {
    name: "keeps what need not be there yet, until it is released",
    async run(fixture) {
      const leases = fixture.agent();
      await leases.keep(A, never);
      await leases.keep(A, never);
      await leases.keep(B, never);
      assert.deepEqual(await keptBy(fixture), [A, B].sort());
      await leases.release(A, never);
      await leases.release(C, never);
      assert.deepEqual(await keptBy(fixture), [B]);
    },
  },
  {
    name: "keeps for a lifetime, and for another one with each renewal",
    async run(fixture) {
      const leases = fixture.agent();
      await leases.keep(A, never);
      const step = leases.lifetimeMs * 0.6;
      for (const _ of [1, 2, 3]) {
        fixture.advance(step);
        assert.deepEqual([...await leases.renew(wanted(), never)], [A]);
      }
      await leases.release(A, never);
      await leases.keep(B, never);
      assert.deepEqual(await keptBy(fixture), [B]);
      fixture.advance(leases.lifetimeMs + 1);
      assert.deepEqual(await keptBy(fixture), []);
    },
  },
  {
    name: "keeps again what was kept too long ago",
    async run(fixture) {
      const leases = fixture.agent();
      await leases.keep(A, never);
      fixture.advance(leases.lifetimeMs + 1);
      await leases.keep(B, never);
      assert.deepEqual(
        [...await leases.renew(wanted([C], [A, B]), never)].sort(),
        [A, B, C].sort(),
      );
      assert.deepEqual(await keptBy(fixture), [A, B, C].sort());
    },
  },
  {
    name: "is shared by the agents of a node, in whichever order they renew",
    async run(fixture) {
      const [one, two] = [fixture.agent(), fixture.agent()];
      await one.keep(A, never);
      await two.keep(B, never);
      fixture.advance(one.lifetimeMs * 0.6);
      await one.renew(wanted([], [A]), never);
      await two.keep(C, never);
      assert.deepEqual([...await two.renew(wanted([], [B, C]), never)].sort(), [A, B, C].sort());
      fixture.advance(one.lifetimeMs * 0.6);
      assert.deepEqual([...await one.renew(wanted([], [A]), never)].sort(), [A, B, C].sort());
      await two.release(A, never);
      assert.deepEqual(await keptBy(fixture), [B, C].sort());
    },
  },
  {
    name: "does not keep again what another agent has released, unless it is added",
    async run(fixture) {
      const [one, two] = [fixture.agent(), fixture.agent()];
      for (const digest of [A, B, C]) await one.keep(digest, never);
      await two.renew(wanted(), never);
      await two.release(A, never);
      await two.release(B, never);
      assert.deepEqual(
        [...await one.renew(wanted([B], [A, C]), never)].sort(),
        [B, C].sort(),
      );
      fixture.advance(one.lifetimeMs * 0.6);
      assert.deepEqual([...await one.renew(wanted([], [A, B, C]), never)].sort(), [B, C].sort());
      assert.deepEqual(await keptBy(fixture), [B, C].sort());
    },
  },
  {
    name: "keeps no longer than a lifetime once time was set back",
    async run(fixture) {
      const [one, two] = [fixture.agent(), fixture.agent()];
      fixture.advance(10 * one.lifetimeMs);
      await one.keep(A, never);
      fixture.advance(-10 * one.lifetimeMs);
      await two.keep(B, never);
      await one.keep(C, never);
      assert.deepEqual([...await two.renew(wanted(), never)].sort(), [A, B, C].sort());
      assert.deepEqual(
        [...await one.renew(wanted([], [A, C]), never)].sort(),
        [A, B, C].sort(),
      );
      fixture.advance(one.lifetimeMs + 1);
      assert.deepEqual(await keptBy(fixture), []);
    },
  },
  {
    name: "ends for all agents at once, and begins anew",
    async run(fixture) {
      const [one, two] = [fixture.agent(), fixture.agent()];
      assert.deepEqual(await one.end(never), []);
      await one.keep(A, never);
      await two.keep(B, never);
      assert.equal((await two.end(never)).length, 1);
      assert.deepEqual(await keptBy(fixture), []);
      await one.keep(C, never);
      assert.deepEqual([...await two.renew(wanted(), never)], [C]);
    },
  },
];
