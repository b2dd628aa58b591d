import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ByteRange } from "../../lib/oci/range.ts";
import { growingFileStream } from "../../lib/store/containerd/growing_file.ts";
import { FakeClock } from "../fakes/clock.ts";
import { test } from "../support/test.ts";
import { someBytes, WRITTEN_FILES, type WrittenFile } from "./growing_files.ts";

const SIZE = 600_000;
const WHOLE = someBytes(SIZE);

interface Case {
  readonly name: string;
  readonly range?: ByteRange;
  /** What happens to the file, one step after another, while it is read. */
  readonly steps: readonly ((file: WrittenFile) => Promise<void>)[];
  /** Error that the stream ends with; undefined: it ends well. */
  readonly error?: RegExp;
  /** Bytes that arrive, if it ends with an error. */
  readonly sent?: number;
}

const add = (from: number, to: number) => (file: WrittenFile) =>
  file.append(WHOLE.subarray(from, to));
const HALF = SIZE / 2;

const CASES: readonly Case[] = [
  { name: "all there from the start", steps: [add(0, SIZE)] },
  { name: "as it grows", steps: [add(0, 1), add(1, HALF), add(HALF, SIZE)] },
  {
    name: "a part already there",
    range: { start: 10, end: 99 },
    steps: [add(0, HALF)],
  },
  {
    name: "a part that is still to come",
    range: { start: HALF + 5, end: SIZE - 1 },
    steps: [add(0, HALF), add(HALF, HALF + 10), add(HALF + 10, SIZE)],
  },
  {
    name: "somebody else completes it first",
    steps: [add(0, HALF), (file) => file.replace(WHOLE)],
  },
  {
    name: "what somebody else completes is of another size",
    steps: [add(0, HALF), (file) => file.replace(WHOLE.subarray(0, HALF + 1))],
    error: /became 300001 instead of 600000 bytes/,
    sent: HALF,
  },
  {
    name: "committed and removed once all is there",
    steps: [async (file) => (await add(0, SIZE)(file), await file.remove())],
  },
  {
    name: "aborted",
    steps: [add(0, HALF), (file) => file.remove()],
    error: /given up at 300000 of 600000 bytes/,
    sent: HALF,
  },
  {
    name: "begun anew",
    steps: [add(0, HALF), (file) => file.truncate(0)],
    error: /began anew at 300000 of 600000 bytes/,
    sent: HALF,
  },
  {
    name: "longer than it should be",
    steps: [add(0, HALF), (file) => file.append(WHOLE)],
    error: /has more than its 600000 bytes/,
    sent: HALF,
  },
  {
    name: "written out of order",
    steps: [add(0, HALF), (file) => file.skip(100_000)],
    error: /written out of order/,
    sent: HALF,
  },
  { name: "stalled", steps: [add(0, HALF)], error: /stands still at 300000 of 600000/, sent: HALF },
  { name: "never begun", steps: [], error: /stands still at 0 of 600000/, sent: 0 },
];

for (const [kind, create] of Object.entries(WRITTEN_FILES)) {
  for (const { name, range = { start: 0, end: SIZE - 1 }, steps, error, sent } of CASES) {
    test(`growing file (${kind}): ${name}`, async () => {
      await using file = await create();
      const clock = new FakeClock();
      const stream = growingFileStream(
        { file: await file.open(), size: SIZE, successor: () => file.successor(), clock },
        range,
      );
      const reading = collect(stream);
      for (const step of steps) {
        await step(file);
        await letRead(clock, reading);
      }
      while (!reading.over) await letRead(clock, reading);
      const { bytes, failure } = await reading.result;
      if (error === undefined) assert.equal(failure, undefined);
      else assert.match(String(failure), error);
      const want = WHOLE.subarray(range.start, error === undefined ? range.end + 1 : sent);
      assert.ok(Buffer.compare(bytes, want) === 0, `${bytes.length} bytes, want ${want.length}`);
    });
  }

  test(`growing file (${kind}): a reader that goes away closes it`, async () => {
    await using file = await create();
    const clock = new FakeClock();
    await file.append(WHOLE.subarray(0, 10));
    const opened = await file.open();
    const stream = growingFileStream(
      { file: opened, size: SIZE, successor: () => file.successor(), clock },
      { start: 0, end: SIZE - 1 },
    );
    const reader = stream.getReader();
    assert.equal((await reader.read()).value?.length, 10);
    const pending = reader.read();
    await clock.advance(20);
    await reader.cancel();
    assert.equal((await pending).done, true);
    await clock.advance(20);
    assert.equal(clock.sleeping, 0);
    assert.throws(() => opened.close(), Deno.errors.BadResource);
  });
}

function collect(stream: ReadableStream<Uint8Array>) {
  const reading = { over: false, result: read() };
  return reading;

  async function read() {
    const chunks: Uint8Array[] = [];
    let failure: unknown;
    try {
      for await (const chunk of stream) chunks.push(chunk);
    } catch (error) {
      failure = error;
    }
    reading.over = true;
    return { bytes: Buffer.concat(chunks), failure };
  }
}

/** Lets the reader see what is new, and read until it has to wait for more. */
async function letRead(clock: FakeClock, reading: { readonly over: boolean }): Promise<void> {
  await clock.advance(100);
  while (!reading.over && clock.sleeping === 0) await clock.advance(0);
}
