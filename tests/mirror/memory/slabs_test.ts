import assert from "node:assert/strict";
import { SLAB_BYTES, Slabs } from "../../../lib/mirror/memory/slabs.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";

/** More than come of one piece of memory. */
const MANY = 40;

test("slabs: none shares memory with another, and what was given is used again", () => {
  const slabs = new Slabs(new FakeClock());
  const taken = Array.from({ length: MANY }, () => slabs.take());
  taken.forEach((slab, index) => slab.fill(index));
  for (const [index, slab] of taken.entries()) {
    assert.equal(slab.length, SLAB_BYTES);
    assert.ok(slab.every((byte) => byte === index), `slab ${index}`);
  }
  const [first] = taken.splice(0, 1);
  assert.ok(first);
  slabs.give(first);
  assert.equal(slabs.take(), first);
});

test("slabs: memory goes back to the system when nothing of it was used for a while", async () => {
  const clock = new FakeClock();
  const slabs = new Slabs(clock);
  const taken = Array.from({ length: MANY }, () => slabs.take());
  const isHeld = () => taken.map(({ buffer }) => buffer.byteLength > 0);
  for (const slab of taken.slice(1)) slabs.give(slab);
  await clock.advance(10_000);
  assert.ok(isHeld().every(Boolean), "one is in use");
  slabs.give(taken[0] ?? assert.fail());
  await clock.advance(4_000);
  const again = slabs.take();
  await clock.advance(10_000);
  assert.ok(isHeld().every(Boolean), "one was taken again");
  slabs.give(again);
  await clock.advance(6_000);
  assert.ok(!isHeld().some(Boolean));
  assert.equal(slabs.take().length, SLAB_BYTES);
});

test("slabs: closed, what is in use stays until it is given", () => {
  const slabs = new Slabs(new FakeClock());
  const [used, given] = [slabs.take(), slabs.take()];
  slabs.give(given);
  slabs.close();
  assert.equal(used.length, SLAB_BYTES);
  slabs.give(used);
});
