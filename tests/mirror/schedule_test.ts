import assert from "node:assert/strict";
import fc from "fast-check";
import { digestOf } from "../../lib/oci/digest.ts";
import { test } from "../support/test.ts";
import { type Faults } from "./fault_peer.ts";
import { blob, bytesOf, noise, Rig } from "./rig.ts";

const CONTENT = noise(300_000);
const offset = fc.nat(CONTENT.length - 1);

/** How one peer behaves in a transfer. */
const faults: fc.Arbitrary<Faults> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: offset.map((dieAt) => ({ dieAt })) },
  { weight: 1, arbitrary: offset.map((stallAt) => ({ stallAt })) },
  { weight: 1, arbitrary: offset.map((lieAt) => ({ lieAt })) },
  { weight: 1, arbitrary: fc.constant({ status: 404 }) },
  { weight: 1, arbitrary: fc.constant({ ignoreRange: true }) },
  {
    weight: 1,
    arbitrary: fc.record({ dieAt: offset, lieAt: offset }),
  },
);

/** Options under which a blob of this size is streamed, and fails soon. */
const STREAMED = { verifyWholeBytes: 0, smallBlobBytes: 1000, stallWindowMs: 40, giveUpMs: 160 };

test("whatever the peers do, a body is exact or errors; it never ends wrong", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(faults, { minLength: 1, maxLength: 4 }), async (schedule) => {
      await using rig = new Rig(STREAMED);
      for (const fault of schedule) rig.add(CONTENT, { ...fault });
      const answer = await rig.fetch(blob(digestOf(CONTENT)));
      if (!answer.found) return;
      let received: Uint8Array | undefined;
      try {
        received = await bytesOf(answer);
      } catch (error) {
        assert(error instanceof Error);
        return;
      }
      assert.deepEqual(received, CONTENT);
    }),
    { numRuns: 60 },
  );
});

test("whatever the peers do, a body that is verified first is exact if there is any", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(faults, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (schedule, isPart) => {
        await using rig = new Rig({ ...STREAMED, verifyWholeBytes: CONTENT.length });
        for (const fault of schedule) rig.add(CONTENT, { ...fault });
        const answer = await rig.fetch(blob(digestOf(CONTENT), isPart ? "bytes=999-" : undefined));
        if (answer.found) {
          assert.deepEqual(await bytesOf(answer), isPart ? CONTENT.slice(999) : CONTENT);
        }
        const isHonest = ({ lieAt }: Faults) => lieAt === undefined;
        for (const { id, standing } of rig.mirror.health()) {
          const fault = schedule[Number(id.replace("peer-", ""))] ?? {};
          assert.ok(standing !== "shunned" || !isHonest(fault), id);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("one peer without fault among those that die or stall is enough", async () => {
  const honest = fc.oneof(
    offset.map((dieAt): Faults => ({ dieAt })),
    offset.map((stallAt): Faults => ({ stallAt })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(honest, { maxLength: 2 }), async (schedule) => {
      await using rig = new Rig(STREAMED);
      for (const fault of schedule) rig.add(CONTENT, fault);
      rig.add(CONTENT);
      assert.deepEqual(await bytesOf(await rig.fetch(blob(digestOf(CONTENT)))), CONTENT);
    }),
    { numRuns: 30 },
  );
});
