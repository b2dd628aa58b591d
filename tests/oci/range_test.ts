import assert from "node:assert/strict";
import fc from "fast-check";
import { OciError } from "../../lib/oci/error.ts";
import {
  formatContentRange,
  parseContentRange,
  resolveRange,
  singleRange,
} from "../../lib/oci/range.ts";
import { test } from "../support/test.ts";

test("ranges: one is resolved, what need not be served is ignored", () => {
  const ignored = undefined;
  const cases: [
    header: string | undefined,
    size: number,
    result: [number, number] | number | undefined,
  ][] = [
    ["bytes=0-0", 100, [0, 0]],
    ["bytes=0-99", 100, [0, 99]],
    ["bytes=10-", 100, [10, 99]],
    ["bytes=-5", 100, [95, 99]],
    ["bytes=-100", 100, [0, 99]],
    ["bytes=-1000", 100, [0, 99]],
    ["bytes=50-1000", 100, [50, 99]],
    ["bytes=0-99999999999999999999", 100, [0, 99]],
    ["Bytes=1-2", 100, [1, 2]],
    ["bytes=,0-4,", 100, [0, 4]],
    ["bytes= 0-4 ", 100, [0, 4]],
    ["bytes=100-", 100, 416],
    ["bytes=99999999999999999999-", 100, 416],
    ["bytes=-0", 100, 416],
    ["bytes=0-0", 0, 416],
    ["bytes=-1", 0, 416],
    ["bytes=5-2", 100, ignored],
    ["bytes=0-1,5-6", 100, ignored],
    ["items=0-1", 100, ignored],
    ["bytes", 100, ignored],
    ["bytes=", 100, ignored],
    ["bytes=-", 100, ignored],
    ["bytes=a-b", 100, ignored],
    ["bytes=0x1-5", 100, ignored],
    ["bytes=--5", 100, ignored],
    ["bytes=1.5-3", 100, ignored],
    ["bytes=1-2-3", 100, ignored],
    ["", 100, ignored],
    [undefined, 100, ignored],
  ];
  for (const [header, size, expected] of cases) {
    const action = () => resolveRange(singleRange(header), size);
    if (expected === 416) {
      assert.throws(action, { name: "OciError", status: 416, detail: { size } }, header);
    } else if (typeof expected === "object") {
      assert.deepEqual(action(), { start: expected[0], end: expected[1] }, header);
    } else assert.equal(action(), undefined, header);
  }
});

test("ranges: any header is ignored, gives a range inside of the content, or 416", () => {
  const position = fc.oneof(fc.constant(""), fc.nat().map(String), fc.string({ maxLength: 4 }));
  const headers = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.tuple(position, position).map(([start, end]) => `bytes=${start}-${end}`),
  );
  fc.assert(
    fc.property(headers, fc.nat({ max: 1000 }), (header, size) => {
      try {
        const range = resolveRange(singleRange(header), size);
        if (range === undefined) return;
        assert.ok(0 <= range.start && range.start <= range.end && range.end < size);
      } catch (error) {
        assert.ok(error instanceof OciError && error.status === 416, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("content ranges: parsing", () => {
  assert.deepEqual(parseContentRange("bytes 0-9/10"), { start: 0, end: 9, size: 10 });
  for (
    const header of [
      "bytes 0-10/10",
      "bytes 5-4/10",
      "bytes */10",
      "bytes 0-9/*",
      "items 0-9/10",
      "bytes=0-9/10",
      "bytes 0-9",
      `bytes 0-9/${"9".repeat(16)}`,
      "bytes 0-9/10, bytes 0-9/10",
      "",
    ]
  ) assert.equal(parseContentRange(header), undefined, header);
});

test("content ranges: parsing is the inverse of formatting", () => {
  const numbers = fc.array(fc.nat({ max: 2 ** 40 }), { minLength: 3, maxLength: 3 });
  fc.assert(fc.property(numbers, (numbers) => {
    const [start = 0, end = 0, last = 0] = numbers.toSorted((a, b) => a - b);
    const text = formatContentRange({ start, end }, last + 1);
    assert.deepEqual(parseContentRange(text), { start, end, size: last + 1 });
  }));
});
