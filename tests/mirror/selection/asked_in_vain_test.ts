import assert from "node:assert/strict";
import { digestOf } from "../../../lib/oci/digest.ts";
import { test } from "../../support/test.ts";
import { type Faults } from "../fault_peer.ts";
import { blob, bytesOf, noise, PATIENT, Rig } from "../rig.ts";

const MIB = 1024 * 1024;
const LAYER = noise(4 * MIB, 31);
const DIGEST = digestOf(LAYER);
const IDS = 10;

/** What somebody answers who is named as a holder many times, and in which attempt it comes right. */
const IN_THE_WAY: Record<string, { faults: Faults; places: number; attempt: number }> = {
  "says that it has it not, under many ids": { faults: { status: 404 }, places: 1, attempt: 1 },
  "says that it is busy, under many ids": { faults: { status: 429 }, places: 1, attempt: 1 },
  "says that it has it not, at many addresses": { faults: { status: 404 }, places: 5, attempt: 2 },
  "says that it is busy, at many addresses": { faults: { status: 429 }, places: 5, attempt: 2 },
  "sends nothing of it, at many addresses": { faults: { dieAt: 0 }, places: 5, attempt: 1 },
  "says that it is larger, at two addresses": {
    faults: { headers: { "content-length": String(9 * MIB) } },
    places: 2,
    attempt: 2,
  },
};

for (const [name, { faults, places, attempt }] of Object.entries(IN_THE_WAY)) {
  test(`asked in vain: nobody hides an honest peer who ${name}`, async () => {
    await using rig = new Rig(PATIENT);
    for (let index = 0; index < places; index++) {
      const { peer } = rig.add(LAYER, faults);
      const ids = places > 1 ? 1 : IDS;
      for (let id = 1; id < ids; id++) rig.router.provide(DIGEST, { ...peer, id: `fresh-${id}` });
    }
    rig.add(LAYER);
    for (let failed = 1; failed < attempt; failed++) {
      const answer = await rig.fetch(blob(DIGEST));
      if (answer.found) await answer.body?.cancel();
    }
    assert.deepEqual(await bytesOf(await rig.fetch(blob(DIGEST))), LAYER);
  });
}
