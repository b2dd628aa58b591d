import assert from "node:assert/strict";
import { type BodyEnd, observeBody } from "../../lib/registry/observe_body.ts";
import { test } from "../support/test.ts";

const NEVER = new AbortController().signal;

/** A source that yields its steps: chunks by length, errors as they are. */
function source(...steps: (number | Error)[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull(controller) {
      const step = steps.shift();
      if (step === undefined) controller.close();
      else if (typeof step === "number") controller.enqueue(new Uint8Array(step));
      else controller.error(step);
    },
  });
}

test("observed bodies: ends", async () => {
  const cases: [steps: (number | Error)[], length: number, bytes: number, error?: RegExp][] = [
    [[], 0, 0],
    [[3, 4], 7, 7],
    [[3, 0, 4], 7, 7],
    [[3], 7, 3, /content has 3 bytes, announced were 7/],
    [[], 7, 0, /content has 0 bytes/],
    [[3, 5], 7, 3, /content has more bytes/],
    [[8], 7, 0, /content has more bytes/],
    [[3, new Error("disk gone")], 7, 3, /disk gone/],
    [[7, new Error("wrong digest")], 7, 7, /wrong digest/],
  ];
  for (const [steps, length, bytes, error] of cases) {
    const ends: BodyEnd[] = [];
    const body = observeBody(source(...steps), {
      length,
      signal: NEVER,
      onEnd: (end) => ends.push(end),
    });
    const read = new Response(body).bytes();
    if (error) await assert.rejects(read, error);
    else assert.equal((await read).length, length);
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.bytes, bytes);
    assert.equal(ends[0]?.by, "source");
    if (error) assert.match(String(ends[0]?.error), error);
    else assert.equal(ends[0]?.error, undefined);
  }
});

test("observed bodies: nothing is read before it is asked for", async () => {
  let pulls = 0;
  const counting = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(1));
    },
  }, { highWaterMark: 0 });
  const reader = observeBody(counting, { length: 9, signal: NEVER, onEnd: () => {} }).getReader();
  await Promise.resolve();
  assert.equal(pulls, 0);
  await reader.read();
  assert.equal(pulls, 1);
  await reader.cancel();
});

test("observed bodies: a source that cannot be cancelled does no harm", async () => {
  const ends: BodyEnd[] = [];
  const stubborn = new ReadableStream<Uint8Array<ArrayBuffer>>({
    cancel: () => Promise.reject(new Error("stubborn")),
  });
  await observeBody(stubborn, { length: 9, signal: NEVER, onEnd: (end) => ends.push(end) })
    .cancel();
  assert.match(String(ends[0]?.error), /went away/);
  assert.equal(ends[0]?.by, "client");
});

test("observed bodies: cancelled after the last byte is complete", async () => {
  const ends: BodyEnd[] = [];
  const body = observeBody(source(5), { length: 5, signal: NEVER, onEnd: (end) => ends.push(end) });
  const reader = body.getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual(ends, [{ bytes: 5, by: "client" }]);
});

test("observed bodies: the signal breaks the body and cancels a source that hangs", async () => {
  const stop = new AbortController();
  for (const early of [false, true]) {
    const ends: BodyEnd[] = [];
    let cancelled = 0;
    const hanging = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel: () => void cancelled++ });
    const body = observeBody(hanging, {
      length: 5,
      signal: stop.signal,
      onEnd: (end) => ends.push(end),
    });
    const read = new Response(body).bytes();
    if (!early) stop.abort(new Error("the registry stops"));
    await assert.rejects(read, /the registry stops/);
    assert.equal(cancelled, 1);
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.by, "stop");
  }
});

test("observed bodies: with freeTaken a chunk's memory is freed when the next is asked for", async () => {
  const body = observeBody(source(3, 4), {
    length: 7,
    signal: NEVER,
    freeTaken: true,
    onEnd: () => {},
  });
  const reader = body.getReader();
  const first = (await reader.read()).value;
  assert.equal(first?.buffer.byteLength, 3);
  const second = (await reader.read()).value;
  assert.equal(first?.buffer.byteLength, 0);
  assert.equal(second?.buffer.byteLength, 4);
  assert.ok((await reader.read()).done);
  assert.equal(second?.buffer.byteLength, 0);
});
