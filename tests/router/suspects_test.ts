import assert from "node:assert/strict";
import { Suspects } from "../../lib/router/suspects.ts";
import { test } from "../support/test.ts";
import { peerIds } from "./ids.ts";

const [A, B] = await peerIds(2);
assert(A && B);

test("a peer is suspect until it has been checked, whatever comes of it, and is checked once", async () => {
  const checks: { peer: string; end: PromiseWithResolvers<void> }[] = [];
  const suspects = new Suspects((peer) => {
    const end = Promise.withResolvers<void>();
    checks.push({ peer: String(peer), end });
    return end.promise;
  });
  suspects.add(A);
  suspects.add(A);
  suspects.add(B);
  assert.deepEqual(checks.map(({ peer }) => peer), [String(A), String(B)]);
  assert.equal(suspects.size, 2);
  checks[0]?.end.resolve();
  checks[1]?.end.reject(new Error("broken"));
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(suspects.has(String(A)), false);
  assert.equal(suspects.size, 0);
  suspects.add(A);
  assert.equal(suspects.has(String(A)), true);
  assert.equal(checks.length, 3);
});
