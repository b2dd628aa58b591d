import assert from "node:assert/strict";
import { FrameDecoder } from "../../../lib/router/dht/dht_stream.ts";
import {
  decodeAssignmentReply,
  decodeQuestion,
  encodeFetchTreeMessage,
} from "../../../lib/router/rollout/fetch_tree_message.ts";
import { test } from "../../support/test.ts";

function frameOf(bytes: Uint8Array): Uint8Array {
  const [frame, ...more] = new FrameDecoder().push(bytes);
  assert.equal(more.length, 0);
  assert.ok(frame);
  return frame;
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("fetch tree messages: decoding is the inverse of encoding", () => {
  const question = {
    ...{ key: `sha256:${"a".repeat(64)}`, small: true, failed: "peer", slow: true },
    zone: "eu-west-1a",
  };
  assert.deepEqual(decodeQuestion(frameOf(encodeFetchTreeMessage(question))), question);
  const follow = {
    type: "follow",
    id: "peer",
    depth: 3,
    addresses: ["/ip4/1.2.3.4/tcp/1"],
  } as const;
  assert.deepEqual(decodeAssignmentReply(frameOf(encodeFetchTreeMessage(follow))), follow);
  const fetch = { type: "fetch" } as const;
  assert.deepEqual(decodeAssignmentReply(frameOf(encodeFetchTreeMessage(fetch))), fetch);
});

test("fetch tree messages: malformed questions are rejected", () => {
  const values = [null, 1, [], {}, { key: "" }, { key: 1 }, { key: "k".repeat(1025) }];
  for (const value of [...values, { key: "k", failed: 7 }, { key: "k", failed: "" }]) {
    assert.throws(() => decodeQuestion(encode(value)), JSON.stringify(value));
  }
  assert.throws(() => decodeQuestion(new TextEncoder().encode("{")));
  assert.throws(() => decodeQuestion(encode({ key: "k", more: "x".repeat(5000) })));
  assert.equal(decodeQuestion(encode({ key: "k", small: "yes" })).small, false);
});

test("fetch tree messages: a missing or invalid zone is ignored", () => {
  for (const zone of [undefined, "", 7, null, "z".repeat(64)]) {
    assert.equal("zone" in decodeQuestion(encode({ key: "k", zone })), false, String(zone));
  }
  assert.equal(decodeQuestion(encode({ key: "k", zone: "z".repeat(63) })).zone?.length, 63);
});

test("fetch tree messages: malformed answers are rejected, invalid addresses are dropped", () => {
  for (const value of [null, {}, { type: "stay" }, { type: "follow", id: "a" }]) {
    assert.throws(() => decodeAssignmentReply(encode(value)), JSON.stringify(value));
  }
  const addresses = [...Array.from({ length: 20 }, (_, n) => `/a${n}`), 7, "x".repeat(200)];
  const reply = decodeAssignmentReply(encode({ type: "follow", id: "a", depth: -1, addresses }));
  assert.equal(reply.type === "follow" && reply.addresses.length, 16);
  assert.equal(reply.type === "follow" && reply.depth, 0);
  const deep = decodeAssignmentReply(
    encode({ type: "follow", id: "a", depth: 1e9, addresses: [] }),
  );
  assert.equal(deep.type === "follow" && deep.depth, 64);
});
