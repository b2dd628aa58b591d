import assert from "node:assert/strict";
import fc from "fast-check";
import { isDigest, parseDigest, splitDigest } from "../../lib/oci/digest.ts";
import { OciError } from "../../lib/oci/error.ts";
import { test } from "../support/test.ts";
import { digests } from "./arbitraries.ts";

const HEX64 = "0123456789abcdef".repeat(4);

test("digests: which are well-formed", () => {
  const cases: [text: string, valid: boolean][] = [
    [`sha256:${HEX64}`, true],
    [`sha512:${HEX64}${HEX64}`, true],
    [`sha512:${HEX64}`, false],
    [`sha256:${HEX64}${HEX64}`, false],
    [`sha256:${HEX64.toUpperCase()}`, false],
    [`SHA256:${HEX64}`, false],
    [`sha256:${HEX64.slice(1)}`, false],
    [`sha256:${HEX64}0`, false],
    [`sha256:${HEX64.slice(1)}g`, false],
    [`sha256:${HEX64.slice(1)}\n`, false],
    [`sha256:${HEX64}\n`, false],
    [` sha256:${HEX64}`, false],
    [`sha384:${HEX64}`, false],
    [`md5:${"0".repeat(32)}`, false],
    [`constructor:${HEX64}`, false],
    [`__proto__:${HEX64}`, false],
    [HEX64, false],
    [`:${HEX64}`, false],
    ["sha256:", false],
    ["", false],
  ];
  for (const [text, valid] of cases) assert.equal(isDigest(text), valid, JSON.stringify(text));
});

test("digests: parsing refuses malformed ones with 400 and a short message", () => {
  assert.equal(parseDigest(`sha256:${HEX64}`), `sha256:${HEX64}`);
  assert.throws(() => parseDigest("x".repeat(100_000)), (error) => {
    assert.ok(error instanceof OciError);
    assert.equal(error.code, "DIGEST_INVALID");
    assert.equal(error.status, 400);
    assert.ok(error.message.length < 400);
    return true;
  });
});

test("digests: any text parses or is refused with an OciError", () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), digests), (text) => {
    try {
      assert.equal(parseDigest(text), text);
    } catch (error) {
      assert.ok(error instanceof OciError);
    }
  }));
});

test("digests: splitting loses nothing", () => {
  fc.assert(fc.property(digests, (digest) => {
    const { algorithm, hex } = splitDigest(digest);
    assert.equal(`${algorithm}:${hex}`, digest);
  }));
});
