import assert from "node:assert/strict";
import fc from "fast-check";
import { grpcFrame, grpcMessages } from "../../lib/store/containerd/grpc_frames.ts";
import { test } from "../support/test.ts";

async function* chunks(parts: readonly Uint8Array[]) {
  for (const part of parts) yield await Promise.resolve(part);
}

function read(...parts: readonly (readonly number[])[]): Promise<number[][]> {
  const body = chunks(parts.map((part) => new Uint8Array(part)));
  return Array.fromAsync(grpcMessages(body, 10), (message) => [...message]);
}

test("messages come out as they went in, however their bytes are cut", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 8 }),
    fc.integer({ min: 1, max: 12 }),
    async (messages, size) => {
      const bytes = messages.flatMap((message) => [...grpcFrame(message)]);
      const parts: number[][] = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.slice(at, at + size));
      assert.deepEqual(await read(...parts), messages.map((message) => [...message]));
    },
  ));
});

test("bodies that are not what was asked for are refused", async () => {
  for (
    const { name, parts, error } of [
      { name: "compressed", parts: [[1, 0, 0, 0, 1, 7]], error: /compressed/ },
      { name: "too long", parts: [[0, 0, 0, 0, 11]], error: /has 11 bytes, want at most 10/ },
      { name: "cut off in the head", parts: [[0, 0, 0]], error: /cut off/ },
      { name: "cut off after the head", parts: [[0, 0, 0, 0, 1]], error: /cut off/ },
      { name: "cut off in the message", parts: [[0, 0, 0, 0, 2], [1]], error: /cut off/ },
    ]
  ) {
    await assert.rejects(read(...parts), { name: "RangeError", message: error }, name);
  }
});

test("an empty body has no message, and an empty message is one", async () => {
  assert.deepEqual(await read(), []);
  assert.deepEqual(await read([0, 0, 0, 0, 0]), [[]]);
});
