import assert from "node:assert/strict";
import { Slots } from "../../lib/async/slots.ts";
import { test } from "../support/test.ts";

test("slots: so many work at the same time, the others in their order, failures make room", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const works = ends.map(({ promise }, index) =>
    slots.run(async () => {
      begun.push(index);
      await promise;
      return index;
    })
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.reject(new Error("broken"));
  await assert.rejects(works[1] ?? Promise.resolve(), /broken/);
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const { resolve } of ends) resolve();
  assert.deepEqual(await Promise.all(works.filter((_, index) => index !== 1)), [0, 2, 3, 4]);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  assert.equal(await slots.run(() => Promise.resolve(9)), 9);
});
