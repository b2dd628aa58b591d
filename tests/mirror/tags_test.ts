import assert from "node:assert/strict";
import { digestOf } from "../../lib/oci/digest.ts";
import { test } from "../support/test.ts";
import { manifest, Rig } from "./rig.ts";

const ONE = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const TWO = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [{}] }));
const TAG = "docker.io/library/app:1";
const never = { signal: new AbortController().signal };

test("peers say what a tag is for them, and since when", async () => {
  await using rig = new Rig();
  rig.add(ONE, { headers: { "x-eddy-tag-time": "1700000000123" } }, TAG);
  rig.add(TWO, {}, TAG);
  rig.add(TWO, { headers: { "x-eddy-tag-time": "yesterday" } }, TAG);
  const answers = await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), never);
  assert.deepEqual(answers?.toSorted((a, b) => a.peer.localeCompare(b.peer)), [
    { digest: digestOf(ONE), peer: "peer-0", updatedAt: 1_700_000_000_123 },
    { digest: digestOf(TWO), peer: "peer-1", updatedAt: undefined },
    { digest: digestOf(TWO), peer: "peer-2", updatedAt: undefined },
  ]);
  for (const { asked } of rig.peers) assert.deepEqual(asked.map(({ method }) => method), ["HEAD"]);
});

test("peers that are silent, or have not got a tag, are not waited for", async () => {
  await using rig = new Rig({ resolveTimeoutMs: 100, responseTimeoutMs: 60_000 });
  rig.add(ONE, { silent: true }, TAG);
  rig.add(ONE, { status: 404 }, TAG);
  rig.add(TWO, {}, TAG);
  const answers = await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), never);
  assert.deepEqual(answers?.map(({ digest }) => digest), [digestOf(TWO)]);
});

test("nobody has a tag: there are no answers", async () => {
  await using rig = new Rig({ resolveTimeoutMs: 50 });
  assert.deepEqual(await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), never), []);
  await assert.rejects(
    async () =>
      await rig.mirror.tagAnswers?.(manifest("HEAD", "1"), { signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
});
