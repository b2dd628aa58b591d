import assert from "node:assert/strict";
import { encodeAddProvider, encodePing, encodeProvider } from "../../lib/router/dht_message.ts";
import { test } from "../support/test.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("a PING is its type alone", () => {
  assert.deepEqual(encodePing(), bytes(0x08, 5));
});

test("ADD_PROVIDER holds type, key and one provider with all its addresses", () => {
  const provider = encodeProvider({ id: bytes(1, 2), addresses: [bytes(7), bytes(8, 9)] });
  assert.deepEqual(provider, bytes(0x4a, 11, 0x0a, 2, 1, 2, 0x12, 1, 7, 0x12, 2, 8, 9));
  assert.deepEqual(
    encodeAddProvider(bytes(0xaa), provider),
    bytes(0x08, 2, 0x12, 1, 0xaa, ...provider),
  );
});

test("lengths above 127 take two bytes", () => {
  const [tag, low, high] = encodeProvider({ id: new Uint8Array(300), addresses: [] });
  // The peer is 1 byte of tag, 2 bytes of length and 300 bytes of id: 303 = 0b10_0101111.
  assert.deepEqual([tag, low, high], [0x4a, 0b1_0101111, 0b10]);
});
