import assert from "node:assert/strict";
import { SlabList } from "../../../lib/mirror/memory/content_memory.ts";
import { Held } from "../../../lib/mirror/whole/held.ts";
import { SLAB_BYTES, Slabs } from "../../../lib/mirror/memory/slabs.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";

const CONTENT = noise(2.5 * SLAB_BYTES);
const ROOM = 3 * SLAB_BYTES;
const OPEN = new AbortController().signal;
const WHOLE = { start: 0, end: CONTENT.length };

function hold(readers: number, chunkBytes = 70_000) {
  const slabs = new Slabs(new FakeClock());
  const memory = new SlabList(slabs);
  for (let at = 0; at < CONTENT.length; at += chunkBytes) {
    memory.append(CONTENT.slice(at, at + chunkBytes));
  }
  const room = { given: 0, give: (bytes: number) => void (room.given += bytes), close: () => {} };
  const descriptor = { digest: digestOf(CONTENT), size: CONTENT.length, mediaType: "x/y" };
  const held = new Held({ descriptor, memory, room, readers, peer: "p", isPrivate: false });
  return { held, room, slabs };
}

async function all(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stream) {
    parts.push(chunk.slice());
    // As the registry does once a chunk has been sent.
    chunk.buffer.transfer(0);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

test("held: memory is given back as it is taken, and only what is taken is read", async () => {
  const { held, room } = hold(1);
  const reader = held.body(WHOLE, OPEN).getReader();
  assert.equal(room.given, 0);
  for (let got = 0; got < SLAB_BYTES;) got += (await reader.read()).value?.length ?? Infinity;
  assert.equal(room.given, SLAB_BYTES);
  await reader.cancel();
  assert.equal(room.given, ROOM);
});

test("held: each of several readers gets all of it in buffers of his own", async () => {
  const { held, room } = hold(3, SLAB_BYTES);
  const bodies = [1, 2].map(() => all(held.body(WHOLE, OPEN)));
  for (const body of bodies) assert.deepEqual(await body, CONTENT);
  assert.equal(room.given, 0);
  held.decline();
  assert.equal(room.given, ROOM);
});

test("held: a part, wherever slabs begin and end", async () => {
  const ends = [0, 1, SLAB_BYTES - 1, SLAB_BYTES, SLAB_BYTES + 1, 2 * SLAB_BYTES, CONTENT.length];
  for (const start of ends) {
    for (const end of ends.filter((end) => end > start)) {
      const { held, room } = hold(1);
      assert.deepEqual(await all(held.body({ start, end }, OPEN)), CONTENT.slice(start, end));
      assert.equal(room.given, ROOM, `${start} ${end}`);
    }
  }
});

test("held: a signal breaks the body and gives the memory back", async () => {
  const { held, room } = hold(1);
  const stop = new AbortController();
  const reader = held.body(WHOLE, OPEN, stop.signal).getReader();
  await reader.read();
  stop.abort(new Error("stopped"));
  await assert.rejects(reader.read(), /stopped/);
  assert.equal(room.given, ROOM);
});

test("held: memory that was used for one serves the next, and nothing of it shows", async () => {
  const clock = new FakeClock();
  const slabs = new Slabs(clock);
  const first = slabs.take();
  slabs.give(first.fill(7));
  const memory = new SlabList(slabs);
  memory.append(new Uint8Array([1, 2, 3]));
  assert.deepEqual(memory.pieces, [new Uint8Array([1, 2, 3])]);
  assert.equal(memory.pieces[0]?.buffer, first.buffer);
  assert.deepEqual(memory.copy(1, 1000), new Uint8Array([2, 3]));
  memory.drop();
  assert.ok(first.buffer.byteLength > 0);
  await clock.advance(5000);
  assert.equal(first.buffer.byteLength, 0, "it is given back after a while");
});
