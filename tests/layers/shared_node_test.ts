import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { test } from "../support/test.ts";
import { image, KeeperRig } from "./keeper_rig.ts";

const MINUTE_MS = 60_000;
const APP = "registry.test/team/app:1";
const NEXT = "registry.test/team/next:1";

/** Two agents of one node, that do not act at the same moments. */
async function twoAgents(): Promise<[old: KeeperRig, next: KeeperRig]> {
  const old = new KeeperRig();
  await old.clock.advance(17_000);
  return [old, new KeeperRig(old.leases.another())];
}

/** Lets time pass for both, by turns. */
async function pass(rigs: readonly KeeperRig[], ms: number): Promise<void> {
  const step = 10_000;
  for (let passed = 0; passed < ms; passed += step) {
    for (const rig of rigs) await rig.clock.advance(step);
  }
}

function releases({ metrics }: KeeperRig): number {
  return metrics.calls.filter(([name]) => name === "layerReleased").length;
}

test("shared node: what one agent waited for in vain is not kept by the other", async () => {
  const rigs = await twoAgents();
  await using old = rigs[0];
  await using next = rigs[1];
  for (const rig of rigs) await rig.tell({ type: "sync", images: [] });
  await old.keeper.expect(digestOf("never delivered"));
  for (const rig of rigs) await rig.clock.advance(MINUTE_MS);
  for (const rig of rigs) await rig.clock.advance(57 * MINUTE_MS);
  await pass(rigs, 5 * MINUTE_MS);
  assert.deepEqual(next.kept, []);
});

test("shared node: one agent makes room, once, and the other does not undo it", async () => {
  const rigs = await twoAgents();
  await using old = rigs[0];
  await using next = rigs[1];
  const layers: Digest[] = [];
  for (const text of ["aaaa", "bbbb", "cccc", "dddd", "eeee"]) {
    for (const rig of rigs) layers.push(rig.store.add(text));
  }
  const [a, b, c, d, e] = [...new Set(layers)] as [Digest, Digest, Digest, Digest, Digest];
  for (const rig of rigs) rig.room = { maxBytes: 16, lackingBytes: 0 };
  for (const rig of rigs) await rig.tell({ type: "sync", images: [image(APP, a, b, c, d)] });
  await pass(rigs, MINUTE_MS);
  assert.equal(old.kept.length, 4);
  // Each has served another one.
  old.keeper.served(b);
  next.keeper.served(a);
  await next.keeper.expect(e);
  for (const rig of rigs) await rig.tell({ type: "image", image: image(NEXT, e) });
  await pass(rigs, 3 * MINUTE_MS);
  assert.equal(old.kept.length, 4);
  assert.equal(releases(old) + releases(next), 1);
});

test("shared node: what the other agent let go is kept again once it is pulled", async () => {
  const rigs = await twoAgents();
  await using old = rigs[0];
  await using next = rigs[1];
  const layer = digestOf("layer");
  for (const rig of rigs) rig.store.add("layer");
  for (const rig of rigs) await rig.tell({ type: "sync", images: [image(APP, layer)] });
  await next.leases.release(layer, { signal: new AbortController().signal });
  await old.keeper.expect(layer);
  assert.deepEqual(next.kept, [layer]);
});
