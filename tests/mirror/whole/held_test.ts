import assert from "node:assert/strict";
import { Held } from "../../../lib/mirror/whole/held.ts";
import { test } from "../../support/test.ts";
import { digestOf } from "../fault_peer.ts";
import { noise } from "../rig.ts";

const CONTENT = noise(1000);

function hold(readers: number, sizes = [300, 300, 400]) {
  let at = 0;
  const chunks = sizes.map((size) => CONTENT.slice(at, at += size));
  const room = { given: 0, give: (bytes: number) => void (room.given += bytes), close: () => {} };
  const descriptor = { digest: digestOf(CONTENT), size: CONTENT.length, mediaType: "x/y" };
  const held = new Held({ descriptor, chunks, room, readers, peer: "p", isPrivate: false });
  return { held, room };
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

const OPEN = new AbortController().signal;

test("held: memory is given back as it is taken, and only what is taken is read", async () => {
  const { held, room } = hold(1);
  const reader = held.body({ start: 0, end: 1000 }, OPEN).getReader();
  assert.equal(room.given, 0);
  assert.equal((await reader.read()).value?.length, 300);
  assert.equal(room.given, 300);
  await reader.cancel();
  assert.equal(room.given, 1000);
});

test("held: each of several readers gets all of it in buffers of his own", async () => {
  const { held, room } = hold(3);
  const bodies = [1, 2].map(() => all(held.body({ start: 0, end: 1000 }, OPEN)));
  for (const body of bodies) assert.deepEqual(await body, CONTENT);
  assert.equal(room.given, 0);
  held.decline();
  assert.equal(room.given, 1000);
});

test("held: a part, wherever chunks begin and end", async () => {
  const ends = [0, 1, 299, 300, 301, 600, 999, 1000];
  for (const start of ends) {
    for (const end of ends.filter((end) => end > start)) {
      const { held, room } = hold(1);
      assert.deepEqual(await all(held.body({ start, end }, OPEN)), CONTENT.slice(start, end));
      assert.equal(room.given, 1000, `${start} ${end}`);
    }
  }
});

test("held: a signal breaks the body and gives the memory back", async () => {
  const { held, room } = hold(1);
  const stop = new AbortController();
  const reader = held.body({ start: 0, end: 1000 }, OPEN, stop.signal).getReader();
  await reader.read();
  stop.abort(new Error("stopped"));
  await assert.rejects(reader.read(), /stopped/);
  assert.equal(room.given, 1000);
});
