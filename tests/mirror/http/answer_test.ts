import assert from "node:assert/strict";
import { judgeAnswer, type Verdict, type Wanted } from "../../../lib/mirror/http/answer.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { test } from "../../support/test.ts";

const DIGEST = digestOf(new Uint8Array(1));
const WHOLE: Wanted = { path: "/", method: "GET", digest: DIGEST };
const TAG: Wanted = { ...WHOLE, digest: undefined };
const PART: Wanted = { ...WHOLE, range: "bytes=10-19" };
const RESUME: Wanted = { ...PART, size: 100 };

type Case = readonly [
  name: string,
  wanted: Wanted,
  status: number,
  headers: Record<string, string>,
  verdict: Verdict["type"],
];

const PART_HEADERS = { "content-length": "10", "content-range": "bytes 10-19/100" };

const CASES: readonly Case[] = [
  ["whole", WHOLE, 200, { "content-length": "100" }, "offer"],
  ["no length", WHOLE, 200, {}, "refused"],
  ["odd length", WHOLE, 200, { "content-length": "1e3" }, "refused"],
  ["redirect", WHOLE, 302, { "content-length": "0", location: "/" }, "refused"],
  ["part unasked", WHOLE, 206, PART_HEADERS, "refused"],
  ["gzip", WHOLE, 200, { "content-length": "1", "content-encoding": "gzip" }, "refused"],
  ["identity", WHOLE, 200, { "content-length": "1", "content-encoding": "identity" }, "offer"],
  ["private", WHOLE, 200, { "content-length": "1", "x-eddy-private": "true" }, "offer"],
  [
    "private, open wanted",
    { ...WHOLE, openOnly: true },
    200,
    { "content-length": "1", "x-eddy-private": "true" },
    "refused",
  ],
  ["open wanted", { ...WHOLE, openOnly: true }, 200, { "content-length": "1" }, "offer"],
  ["own digest", WHOLE, 200, { "content-length": "1", "docker-content-digest": DIGEST }, "offer"],
  ["odd digest", WHOLE, 200, { "content-length": "1", "docker-content-digest": "x" }, "refused"],
  ["too large", { ...WHOLE, maxBytes: 99 }, 200, { "content-length": "100" }, "refused"],
  ["tag", TAG, 200, { "content-length": "1", "docker-content-digest": DIGEST }, "offer"],
  ["tag without digest", TAG, 200, { "content-length": "1" }, "refused"],
  [
    "tag, bad digest",
    TAG,
    200,
    { "content-length": "1", "docker-content-digest": "md5:0" },
    "refused",
  ],
  ["part", PART, 206, PART_HEADERS, "offer"],
  ["everything", PART, 200, { "content-length": "100" }, "refused"],
  ["no content range", PART, 206, { "content-length": "10" }, "refused"],
  ["size unknown", PART, 206, { ...PART_HEADERS, "content-range": "bytes 10-19/*" }, "refused"],
  [
    "shorter part",
    PART,
    206,
    { "content-length": "5", "content-range": "bytes 10-14/100" },
    "refused",
  ],
  ["length differs", PART, 206, { ...PART_HEADERS, "content-length": "11" }, "refused"],
  ["resume", RESUME, 206, PART_HEADERS, "offer"],
  [
    "resume, other size",
    RESUME,
    206,
    { ...PART_HEADERS, "content-range": "bytes 10-19/101" },
    "resized",
  ],
  ["416", PART, 416, { "content-range": "bytes */5" }, "unsatisfiable"],
  ["416 that is no reason", PART, 416, { "content-range": "bytes */100" }, "refused"],
  ["416 without a size", PART, 416, {}, "refused"],
  ["416 for a resume", RESUME, 416, { "content-range": "bytes */100" }, "refused"],
  ["416 for a resume, other size", RESUME, 416, { "content-range": "bytes */5" }, "resized"],
  ["416 unasked", WHOLE, 416, { "content-range": "bytes */5" }, "refused"],
];

for (const [name, wanted, status, headers, expected] of CASES) {
  test(`answer: ${name}`, () => {
    assert.equal(judgeAnswer(status, new Headers(headers), wanted).type, expected);
  });
}

const MEDIA_TYPES: readonly (readonly [header: string | undefined, expected: string])[] = [
  [undefined, "application/octet-stream"],
  ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+gzip"],
  ["text/plain; charset=utf-8", "text/plain"],
  ["<script>", "application/octet-stream"],
  ["a/b/c", "application/octet-stream"],
];

test("answer: only a sane media type is passed on", () => {
  for (const [header, expected] of MEDIA_TYPES) {
    const headers = new Headers({ "content-length": "1" });
    if (header !== undefined) headers.set("content-type", header);
    const verdict = judgeAnswer(200, headers, WHOLE);
    assert(verdict.type === "offer");
    assert.equal(verdict.descriptor.mediaType, expected);
  }
});
