import assert from "node:assert/strict";
import fc from "fast-check";
import { OciError } from "../../lib/oci/error.ts";
import { formatContentRange, parseContentRange, resolveRange } from "../../lib/oci/range.ts";
import { test } from "../support/test.ts";

test("ranges: resolving", () => {
  const cases: [header: string | undefined, size: number, result: [number, number] | number][] = [
    ["bytes=0-0", 100, [0, 0]],
    ["bytes=0-99", 100, [0, 99]],
    ["bytes=10-", 100, [10, 99]],
    ["bytes=-5", 100, [95, 99]],
    ["bytes=-100", 100, [0, 99]],
    ["bytes=-1000", 100, [0, 99]],
    ["bytes=50-1000", 100, [50, 99]],
    ["bytes=0-99999999999999999999", 100, [0, 99]],
    ["Bytes=1-2", 100, [1, 2]],
    ["bytes=100-", 100, 416],
    ["bytes=5-2", 100, 416],
    ["bytes=-0", 100, 416],
    ["bytes=0-0", 0, 416],
    ["bytes=-1", 0, 416],
    ["bytes=0-1,5-6", 100, 416],
    ["items=0-1", 100, 400],
    ["bytes", 100, 400],
    ["bytes=", 100, 400],
    ["bytes=-", 100, 400],
    ["bytes=a-b", 100, 400],
    ["bytes=0x1-5", 100, 400],
    ["bytes=--5", 100, 400],
    ["bytes=1.5-3", 100, 400],
    ["", 100, 400],
  ];
  for (const [header, size, expected] of cases) {
    const action = () => resolveRange(header, size);
    if (typeof expected === "number") {
      assert.throws(action, { name: "OciError", status: expected }, header);
    } else {
      assert.deepEqual(action(), { start: expected[0], end: expected[1] }, header ?? "none");
    }
  }
  assert.equal(resolveRange(undefined, 100), undefined);
});

test("ranges: a 416 tells the size", () => {
  assert.throws(() => resolveRange("bytes=7-", 7), { detail: { size: 7 } });
});

test("ranges: any header gives a range inside of the content or an OciError", () => {
  const position = fc.oneof(fc.constant(""), fc.nat().map(String), fc.string({ maxLength: 4 }));
  const headers = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.tuple(position, position).map(([start, end]) => `bytes=${start}-${end}`),
  );
  fc.assert(
    fc.property(headers, fc.nat({ max: 1000 }), (header, size) => {
      try {
        const range = resolveRange(header, size);
        assert.ok(range && 0 <= range.start && range.start <= range.end && range.end < size);
      } catch (error) {
        assert.ok(error instanceof OciError, String(error));
        assert.ok(error.status === 400 || error.status === 416);
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
