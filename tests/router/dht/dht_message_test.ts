import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeMessage,
  decodePeer,
  DhtMessageError,
  encodeMessage,
  encodePeer,
  encodeRecords,
  MESSAGE_TYPE,
} from "../../../lib/router/dht/dht_message.ts";
import { FrameDecoder } from "../../../lib/router/dht/dht_stream.ts";
import { test } from "../../support/test.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const framesOf = (...pieces: Uint8Array[]) => {
  const decoder = new FrameDecoder();
  return pieces.flatMap((piece) => [...decoder.push(piece)]);
};

test("a PING is its type alone", () => {
  assert.deepEqual(encodeMessage({ type: MESSAGE_TYPE.ping }), bytes(2, 0x08, 5));
});

test("a peer holds its id and all its addresses; what follows a peer's fields is skipped", () => {
  const peer = encodePeer({ id: bytes(1, 2), addresses: [bytes(7), bytes(8, 9)] });
  assert.deepEqual(peer, bytes(0x0a, 2, 1, 2, 0x12, 1, 7, 0x12, 2, 8, 9));
  // Field 3, connection: 1.
  assert.deepEqual(decodePeer(bytes(...peer, 0x18, 1)), {
    id: bytes(1, 2),
    addresses: [bytes(7), bytes(8, 9)],
  });
});

test("records hold type, key and provider, each with its length first, and a PING behind", () => {
  const peer = encodePeer({ id: bytes(1), addresses: [bytes(7)] });
  const record = (key: number) => [13, 0x08, 2, 0x12, 1, key, 0x4a, 6, ...peer];
  assert.deepEqual(
    encodeRecords([bytes(0xaa), bytes(0xbb)], peer),
    bytes(...record(0xaa), ...record(0xbb), 2, 0x08, 5),
  );
});

test("lengths above 127 take two bytes", () => {
  const long = encodePeer({ id: new Uint8Array(300), addresses: [] });
  assert.deepEqual([...long.subarray(0, 3)], [0x0a, 300 & 0x7f | 0x80, 300 >> 7]);
  const [frame] = framesOf(encodeMessage({ type: MESSAGE_TYPE.findNode, closer: [long] }));
  assert.deepEqual(decodeMessage(frame ?? bytes()).closer, [long]);
});

test("whatever is encoded is decoded, in whatever pieces it arrives", () => {
  const array = fc.uint8Array({ maxLength: 200 });
  const message = fc.record({
    type: fc.constantFrom(2, 3, 4, 5),
    key: array,
    closer: fc.array(array, { maxLength: 5 }),
    providers: fc.array(array, { maxLength: 5 }),
  });
  fc.assert(fc.property(fc.array(message), fc.integer({ min: 1, max: 50 }), (messages, size) => {
    const whole = bytes(...messages.flatMap((one) => [...encodeMessage(one)]));
    const pieces = Array.from(
      { length: Math.ceil(whole.length / size) },
      (_, i) => whole.subarray(i * size, (i + 1) * size),
    );
    assert.deepEqual(framesOf(...pieces).map(decodeMessage), messages.map((one) => ({ ...one })));
  }));
});

test("garbage is refused, not looped over or believed", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
    for (const read of [decodeMessage, decodePeer, framesOf]) {
      try {
        read(garbage);
      } catch (error) {
        assert(error instanceof DhtMessageError, String(error));
      }
    }
  }));
  assert.throws(() => framesOf(bytes(0xff, 0xff, 0xff, 0xff, 0x0f)), DhtMessageError);
  assert.throws(() => decodeMessage(bytes(0x12, 5, 1)), DhtMessageError);
});

test("a message names only so many peers, a peer only so many addresses", () => {
  const closer = Array.from({ length: 1000 }, () => bytes(1));
  const [frame = bytes()] = framesOf(encodeMessage({ type: MESSAGE_TYPE.findNode, closer }));
  assert.equal(decodeMessage(frame).closer.length, 64);
  assert.equal(decodePeer(encodePeer({ id: bytes(1), addresses: closer })).addresses.length, 16);
});
