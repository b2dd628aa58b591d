import assert from "node:assert/strict";
import { expectShortReads, holdCredit } from "../../../lib/router/libp2p/frugal_yamux.ts";
import { test } from "../../support/test.ts";

const DATA = 0;
const UPDATE = 1;
const FIN = 4;
const KIB = 1024;

function setUp() {
  const sent: { type: number; flag: number; streamID: number; length: number }[] = [];
  const muxer = {
    sendFrame(header: (typeof sent)[number]) {
      sent.push(header);
      return true;
    },
  };
  holdCredit(muxer);
  const frame = (type: number, flag: number, streamID: number, length: number) =>
    muxer.sendFrame({ type, flag, streamID, length });
  return { sent, frame };
}

test("yamux: credit is told of once it is half a window, and none is lost", () => {
  const { sent, frame } = setUp();
  for (let count = 0; count < 100; count++) frame(UPDATE, 0, 1 + 2 * (count % 2), 4 * KIB);
  assert.deepEqual(
    sent,
    [1, 3].map((streamID) => ({
      type: UPDATE,
      flag: 0,
      streamID,
      length: 128 * KIB,
    })),
  );
  frame(UPDATE, 0, 1, 256 * KIB);
  // 50 updates of 4 KiB were 200 KiB, of which 128 were told.
  assert.equal(sent.at(-1)?.length, (256 + 72) * KIB);
});

test("yamux: what opens, answers or ends a stream goes out at once, and data", () => {
  const { sent, frame } = setUp();
  for (const flag of [1, 2, FIN, 8]) frame(UPDATE, flag, 1, 0);
  frame(DATA, 0, 1, 10);
  assert.equal(sent.length, 5);
});

test("yamux: a stream that has ended leaves nothing to the next of its number", () => {
  const { sent, frame } = setUp();
  frame(UPDATE, 0, 1, 100 * KIB);
  frame(UPDATE, FIN, 1, 0);
  frame(UPDATE, 0, 1, 100 * KIB);
  assert.deepEqual(sent.map(({ flag }) => flag), [FIN]);
});

test("yamux: with too many streams credit is told of at once", () => {
  const { sent, frame } = setUp();
  for (let stream = 0; stream < 4096; stream++) frame(UPDATE, 0, stream, 1);
  assert.equal(sent.length, 0);
  frame(UPDATE, 0, 5000, 1);
  assert.equal(sent.length, 1);
});

test("yamux: below it, what is too short for a length costs no new error", () => {
  const receiver = {
    decoder: {
      lengthDecoder(data: { readonly length: number }): number {
        if (data.length < 2) throw new Error("was asked for what is not there");
        return 7;
      },
    },
  };
  expectShortReads(receiver);
  const { decoder } = receiver;
  const errors = [0, 1, 0].map((length) => {
    try {
      return decoder.lengthDecoder({ length });
    } catch (error) {
      return error;
    }
  });
  // The decoder takes a RangeError, and no other, for "there is more to come".
  assert(errors[0] instanceof RangeError);
  assert.equal(new Set(errors).size, 1);
  assert.equal(decoder.lengthDecoder({ length: 2 }), 7);
});
