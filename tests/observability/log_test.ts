import assert from "node:assert/strict";
import fc from "fast-check";
import { createLog, type LogLevel } from "../../lib/observability/log.ts";
import { test } from "../support/test.ts";

const TS = "2026-01-02T03:04:05.678Z";

function capture(level: LogLevel = "info") {
  const lines: string[] = [];
  const log = createLog({ level, write: (line) => lines.push(line), now: () => new Date(TS) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") };
}

test("log: one JSON object a line, with time, level, message and fields", () => {
  const { log, lines } = capture();
  log.info("started", { port: 5000, ok: true, none: null, list: [1, "a"], deep: { a: { b: 1 } } });
  assert.deepEqual(lines, [
    `{"ts":"${TS}","level":"info","msg":"started","port":5000,"ok":true,"none":null,` +
    `"list":[1,"a"],"deep":{"a":{"b":1}}}\n`,
  ]);
});

test("log: lines below the level are dropped", () => {
  const levels: LogLevel[] = ["debug", "info", "warn", "error"];
  for (const [index, level] of levels.entries()) {
    const { log, lines } = capture(level);
    for (const each of levels) log[each]("x");
    assert.deepEqual(lines.map((line) => JSON.parse(line).level), levels.slice(index));
  }
});

test("log: children add fields, and a line's own win", () => {
  const { log, last } = capture();
  log.child({ node: "a", part: "router" }).child({ part: "mirror" }).warn("x", { node: "b" });
  assert.deepEqual(last(), { ts: TS, level: "warn", msg: "x", node: "b", part: "mirror" });
});

test("log: fields cannot take the place of time, level and message", () => {
  const { log, last } = capture();
  log.error("real", { ts: "1", level: "debug", msg: "fake" });
  assert.deepEqual(last(), { ts: TS, level: "error", msg: "real" });
});

test("log: errors are messages, with causes, and stacks only at debug", () => {
  const error = new TypeError("outer", { cause: new Error("inner") });
  const info = capture("info");
  info.log.error("x", { error });
  assert.equal(info.last().error, "TypeError: outer (inner)");
  const debug = capture("debug");
  debug.log.error("x", { error });
  assert.equal(debug.last().error.message, "TypeError: outer (inner)");
  assert.match(debug.last().error.stack, /log_test/);
});

test("log: values that JSON does not have", () => {
  const { log, last } = capture();
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const cyclicError = new Error("loop");
  cyclicError.cause = cyclicError;
  const cases: [value: unknown, written: unknown][] = [
    [10n, "10"],
    [Symbol("s"), "Symbol(s)"],
    [() => 1, "[function]"],
    [NaN, "NaN"],
    [-Infinity, "-Infinity"],
    [undefined, undefined],
    [new Date(TS), TS],
    [new Date(NaN), "Invalid Date"],
    [new Map([["a", 1n]]), { a: "1" }],
    [new Set([1]), [1]],
    [new Uint8Array(9), "[9 bytes]"],
    [circular, { self: "[circular]" }],
    [new URL("http://x.io/"), "http://x.io/"],
    ["a\nb\u0000", "a\nb\u0000"],
    [Array(100).fill(0), Array(64).fill(0)],
  ];
  for (const [value, written] of cases) {
    log.info("x", { value });
    assert.deepEqual(last().value, written);
  }
  log.info("x", { value: cyclicError });
  assert.match(last().value, /^loop \(loop/);
  log.info("x", {
    get value(): never {
      throw new Error("getter");
    },
  });
  assert.deepEqual([last().level, last().msg], ["info", "x"]);
});

test("log: long values are cut off and deep ones end", () => {
  const { log, lines, last } = capture();
  log.info("m".repeat(10_000), { text: "x".repeat(1_000_000) });
  assert.ok(lines[0] && lines[0].length < 5000);
  let deep: unknown = 1;
  for (let i = 0; i < 1000; i++) deep = [deep];
  log.info("x", { deep });
  assert.match(JSON.stringify(last().deep), /^\[+"\[deep\]"\]+$/);
});

test("log: secrets are masked", () => {
  const { log, lines } = capture("debug");
  log.info("to http://user:hunter2@host/", {
    password: "hunter2",
    headers: { Authorization: "Basic hunter2", "set-cookie": "hunter2" },
    registryToken: "hunter2",
    privateKey: "hunter2",
    url: "https://user:hunter2@host/path",
    link: new URL("https://user:hunter2@host/path"),
    error: new Error("GET http://user:hunter2@host failed"),
  });
  assert.ok(!lines.join().includes("hunter2"), lines.join());
  assert.ok(lines.join().includes("https://[masked]@host/path"));
});

test("log: any fields make one line of JSON", () => {
  const { log, lines } = capture("debug");
  const anything = fc.dictionary(
    fc.string(),
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
  );
  fc.assert(fc.property(fc.string({ unit: "binary" }), anything, (message, fields) => {
    lines.length = 0;
    log.debug(message, fields);
    assert.equal(lines.length, 1);
    const [text = ""] = lines;
    assert.equal(text.indexOf("\n"), text.length - 1);
    assert.equal(JSON.parse(text).level, "debug");
  }));
});

test("log: a boolean tells of a secret and is none", () => {
  const lines: string[] = [];
  createLog({ level: "debug", write: (line) => lines.push(line) })
    .info("asked", { withCredentials: false, nested: { hasToken: true, token: "abc" } });
  const { withCredentials, nested } = JSON.parse(lines[0] ?? "");
  assert.deepEqual([withCredentials, nested], [false, { hasToken: true, token: "[masked]" }]);
});
