import assert from "node:assert/strict";
import { SlabList } from "../../../lib/mirror/memory/content_memory.ts";
import { Slabs } from "../../../lib/mirror/memory/slabs.ts";
import { Held } from "../../../lib/mirror/whole/held.ts";
import { KeptBlobs } from "../../../lib/mirror/whole/kept_blobs.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";

const SIZE = 2_000_000;
const OPEN = new AbortController().signal;

function rig() {
  const clock = new FakeClock();
  const closing = new AbortController();
  const kept = new KeptBlobs({ clock, closing: closing.signal });
  const slabs = new Slabs(clock);
  /** Keeps a blob. Tells how much of its memory was given back. */
  const put = (seed: number) => {
    const content = noise(SIZE, seed);
    const memory = new SlabList(slabs);
    for (let at = 0; at < SIZE; at += 100_000) memory.append(content.slice(at, at + 100_000));
    const room = { given: 0, give: (bytes: number) => void (room.given += bytes), close() {} };
    const descriptor = { digest: digestOf(content), size: SIZE, mediaType: "x/y" };
    const held = new Held({ descriptor, memory, room, readers: 1, peer: "p", isPrivate: false });
    kept.put(descriptor.digest, held);
    held.decline();
    return { room, content, digest: descriptor.digest };
  };
  return { clock, closing, kept, put };
}

test("kept blobs: any number of readers get all of one, until it was not used for 10 s", async () => {
  const { clock, kept, put } = rig();
  const { room, content, digest } = put(1);
  for (let time = 0; time < 3; time++) {
    await clock.advance(9_000);
    const blob = kept.get(digest);
    assert(blob instanceof Held);
    const body = blob.body({ start: 0, end: SIZE }, OPEN);
    assert.deepEqual(new Uint8Array(await new Response(body).arrayBuffer()), content);
    assert.equal(room.given, 0);
  }
  const last = kept.get(digest);
  await clock.advance(10_000);
  assert.equal(kept.get(digest), undefined);
  assert(last instanceof Held);
  assert.equal(room.given, 0, "its last reader has it");
  last.decline();
  assert.ok(room.given >= SIZE);
});

test("kept blobs: the one that was not used for longest is dropped first; sixteen at most", async () => {
  const { clock, kept, put } = rig();
  const [one, two] = [put(1), put(2)];
  await clock.advance(1);
  const used = kept.get(one.digest);
  assert(used instanceof Held);
  used.decline();
  assert.equal(kept.dropOldest(), true);
  assert.ok(two.room.given >= SIZE && one.room.given === 0);
  for (let seed = 3; seed < 19; seed++) put(seed);
  assert.ok(one.room.given >= SIZE);
  for (let left = 16; left > 0; left--) assert.equal(kept.dropOldest(), true);
  assert.equal(kept.dropOldest(), false);
});

test("kept blobs: none after the mirror was closed", async () => {
  const { clock, closing, kept, put } = rig();
  const { room, digest } = put(1);
  closing.abort();
  await clock.advance(1);
  assert.equal(kept.get(digest), undefined);
  assert.ok(room.given >= SIZE);
  assert.ok(put(2).room.given >= SIZE);
});
