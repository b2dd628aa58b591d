import assert from "node:assert/strict";
import { type SplitOptions, SplitPolicy } from "../../../lib/mirror/split/split_policy.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";

const OPTIONS: SplitOptions = { splitPeers: 3, splitProbeMs: 250, splitMinBytes: 1000 };
const DIGEST = digestOf(noise(1));
/** 37.5 MB/s: a link of 300 Mbit/s. */
const SLOW = { digest: DIGEST, bytes: 37.5e6, elapsedMs: 1000, waitedMs: 900, leftBytes: 1e9 };

test("split policy: only a large body of a slow peer that is waited for", () => {
  const cases: Record<string, [change: Partial<typeof SLOW & SplitOptions>, permitted: boolean]> = {
    "that": [{}, true],
    "too early": [{ elapsedMs: 200, waitedMs: 200, bytes: 7.5e6 }, false],
    "little is left": [{ leftBytes: 999 }, false],
    "the client is slow": [{ waitedMs: 500 }, false],
    "the peer is fast": [{ bytes: 300e6 }, false],
    "off": [{ splitPeers: 1 }, false],
  };
  for (const [what, [change, permitted]] of Object.entries(cases)) {
    const policy = new SplitPolicy(new FakeClock(), { ...OPTIONS, ...change });
    assert.equal(policy.permit({ ...SLOW, ...change }) !== undefined, permitted, what);
  }
});

test("split policy: two at once, and none for a while after one was of no use", async () => {
  const clock = new FakeClock();
  const policy = new SplitPolicy(clock, OPTIONS);
  const first = policy.permit(SLOW);
  const second = policy.permit(SLOW);
  assert.ok(first && second);
  assert.equal(policy.permit(SLOW), undefined);
  first.release();
  first.release();
  const third = policy.permit(SLOW);
  assert.ok(third);
  assert.equal(policy.permit(SLOW), undefined);
  assert.equal(third.worthwhile(100e6), true);
  assert.equal(third.worthwhile(38e6), false);
  third.release();
  assert.equal(policy.permit(SLOW), undefined);
  await clock.advance(60_000);
  assert.ok(policy.permit(SLOW));
});

test("split policy: content that came out wrong is not split again", () => {
  const policy = new SplitPolicy(new FakeClock(), OPTIONS);
  policy.distrust(DIGEST);
  assert.equal(policy.permit(SLOW), undefined);
  assert.ok(policy.permit({ ...SLOW, digest: digestOf(noise(2)) }));
});
