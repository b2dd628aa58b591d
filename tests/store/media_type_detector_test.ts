import assert from "node:assert/strict";
import type { Digest } from "../../lib/oci/digest.ts";
import { OCI_INDEX, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import { MediaTypeDetector } from "../../lib/store/media_type_detector.ts";
import { test } from "../support/test.ts";

const INDEX = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const DIGESTS = ["a", "b", "c", "d"].map((digit): Digest => `sha256:${digit.repeat(64)}`);

function setup() {
  const pending: (() => void)[] = [];
  const read: Digest[] = [];
  const detector = new MediaTypeDetector((digest) => {
    read.push(digest);
    return new Promise((resolve) => pending.push(() => resolve(INDEX)));
  });
  const detect = (digest: Digest, size = INDEX.length) =>
    detector.detect({ digest, size }, { signal: new AbortController().signal });
  return { read, detect, answer: () => pending.shift()?.() };
}

test("media type detector: concurrent requests for one digest read it once", async () => {
  const [digest = assert.fail()] = DIGESTS;
  const { read, detect, answer } = setup();
  const detected = Promise.all(Array.from({ length: 100 }, () => detect(digest)));
  answer();
  assert.deepEqual(new Set(await detected), new Set([OCI_INDEX]));
  assert.deepEqual(read, [digest]);
});

test("media type detector: no more than two are read at a time", async () => {
  const { read, detect, answer } = setup();
  const detected = DIGESTS.map((digest) => detect(digest));
  for (let answers = 0; answers < DIGESTS.length; answers++) {
    assert.ok(read.length <= answers + 2, `${read.length} read after ${answers} answers`);
    answer();
    await detected[answers];
  }
  assert.deepEqual(read, DIGESTS);
});

test("media type detector: what is larger than a manifest is not read", async () => {
  const [digest = assert.fail()] = DIGESTS;
  const { read, detect } = setup();
  assert.equal(await detect(digest, 5 * 1024 * 1024), OCTET_STREAM);
  assert.deepEqual(read, []);
});
