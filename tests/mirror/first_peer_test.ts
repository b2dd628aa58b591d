import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { test } from "../support/test.ts";
import { blob, bytesOf, manifest, noise, Rig } from "./rig.ts";

const LAYER = noise(5000);
const IMAGE = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const TAG = "docker.io/library/app:1";
const client = { signal: new AbortController().signal };

/** As long as a lookup that finds nobody takes. */
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 20));

/** A mirror whose node has just started. */
function starting() {
  const rig = new Rig();
  const known = Promise.withResolvers<void>();
  rig.router.awaiting = known.promise;
  return { rig, known };
}

test("a node that starts looks for content once the first peer is known", async () => {
  const { rig, known } = starting();
  await using _closed = rig;
  const fetched = rig.fetch(blob(digestOf(LAYER)));
  const answers = rig.mirror.tagAnswers?.(manifest("HEAD", "1"), client);
  await aMoment();
  rig.add(LAYER);
  rig.add(IMAGE, {}, TAG);
  known.resolve();
  assert.deepEqual(await bytesOf(await fetched), LAYER);
  assert.deepEqual((await answers)?.map(({ digest }) => digest), [digestOf(IMAGE)]);
});

test("a node that starts looks for nothing once the client left", async () => {
  const { rig, known } = starting();
  await using _closed = rig;
  const { asked } = rig.add(LAYER);
  const leaving = new AbortController();
  const fetched = rig.fetch(blob(digestOf(LAYER)), leaving.signal);
  await aMoment();
  leaving.abort(new Error("the client left"));
  await assert.rejects(fetched, /the client left/);
  known.resolve();
  assert.deepEqual(asked, []);
});

test("a mirror that closes does not wait for the first peer", async () => {
  const { rig } = starting();
  const fetched = rig.fetch(blob(digestOf(LAYER)));
  const answers = rig.mirror.tagAnswers?.(manifest("HEAD", "1"), client);
  const over = Promise.all([
    assert.rejects(fetched, /the mirror is closed/),
    answers?.then((none) => assert.deepEqual(none, [])),
  ]);
  await aMoment();
  await rig[Symbol.asyncDispose]();
  await over;
});
