import assert from "node:assert/strict";
import { BadRequest, HeadParser } from "../../lib/net/http/request_head.ts";
import { test } from "../support/test.ts";

const parseRequestHead = (text: string) => new HeadParser().parse(text);

test("request head: what is taken, and what it says", () => {
  const head = parseRequestHead(
    "GET /v2/a/blobs/x?ns=b HTTP/1.1\r\nHost: node:5000\r\nX-Some: \t a b \r\nRange: bytes=0-1",
  );
  assert.deepEqual(head, {
    method: "GET",
    target: "/v2/a/blobs/x?ns=b",
    host: "node:5000",
    fields: [["host", "node:5000"], ["x-some", "a b"], ["range", "bytes=0-1"]],
    keepAlive: true,
    hasBody: false,
  });
  const cases: [string, Partial<ReturnType<typeof parseRequestHead>>][] = [
    ["GET / HTTP/1.0", { keepAlive: false, host: "" }],
    ["GET / HTTP/1.0\r\nConnection: keep-alive", { keepAlive: false }],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close", { keepAlive: false }],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close", { keepAlive: false }],
    ["GET / HTTP/1.1\r\nHost: [::1]:5000", { host: "[::1]:5000" }],
    ["GET / HTTP/1.1\r\nHost:", { host: "" }],
    ["GET http://other:80/v2/?a HTTP/1.1\r\nHost: a", { target: "/v2/?a", host: "a" }],
    ["GET http://other HTTP/1.1\r\nHost: a", { target: "/" }],
    ["GET http://other?a=b HTTP/1.1\r\nHost: a", { target: "/?a=b" }],
    ["OPTIONS * HTTP/1.1\r\nHost: a", { target: "/", method: "OPTIONS" }],
    ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3", { hasBody: true }],
    ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0", { hasBody: false }],
    ["GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", { hasBody: true }],
  ];
  for (const [text, wanted] of cases) {
    const got = parseRequestHead(text);
    for (const [key, value] of Object.entries(wanted)) {
      assert.equal(got[key as keyof typeof got], value, text);
    }
  }
});

test("request head: what could be understood in two ways is refused", () => {
  const host = "Host: a";
  const cases: [text: string, status: number][] = [
    ["", 400],
    ["GET /", 400],
    ["GET  / HTTP/1.1", 400],
    [" GET / HTTP/1.1", 400],
    ["GET / HTTP/1.1 ", 400],
    ["GET /a b HTTP/1.1", 400],
    ["GET /\x00 HTTP/1.1", 400],
    ["GET /\xff HTTP/1.1", 400],
    ["GET / http/1.1", 400],
    ["GET / HTTP/1.10", 400],
    ["PRI * HTTP/2.0", 505],
    ["GET / HTTP/1.1", 400],
    [`GET / HTTP/1.1\r\n${host}\r\n${host}`, 400],
    ["GET / HTTP/1.1\r\nHost: a/b", 400],
    ["GET / HTTP/1.1\r\nHost: a@b", 400],
    [`GET / HTTP/1.1\r\n${host}\r\nX : y`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\n folded`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nX: a\nY: b`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nX: a\rY: b`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nX: \x00`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\n: x`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length: 1\r\nContent-Length: 1`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length: 1, 1`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length: +1`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length: -1`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length: 0x1`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nContent-Length:`, 400],
    [`GET / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 0`, 400],
    [`CONNECT a:80 HTTP/1.1\r\n${host}`, 400],
    [`GET * HTTP/1.1\r\n${host}`, 400],
    [`GET a HTTP/1.1\r\n${host}`, 400],
    [`GET /a#b HTTP/1.1\r\n${host}`, 400],
    [`GET ftp://a/b HTTP/1.1\r\n${host}`, 400],
    [`GET / HTTP/1.1\r\n${host}${"\r\nX: y".repeat(100)}`, 431],
  ];
  for (const [text, status] of cases) {
    assert.throws(() => parseRequestHead(text), (error) => {
      assert.ok(error instanceof BadRequest, `${JSON.stringify(text)}: ${error}`);
      assert.equal(error.status, status, JSON.stringify(text));
      return true;
    }, JSON.stringify(text));
  }
});

test("request head: fields that come again are as before, others are not", () => {
  const parser = new HeadParser();
  const cases: [text: string, target: string, host: string, keepAlive: boolean][] = [
    ["GET /a HTTP/1.1\r\nHost: a", "/a", "a", true],
    ["GET /b HTTP/1.1\r\nHost: a", "/b", "a", true],
    ["GET /b HTTP/1.0\r\nHost: a", "/b", "a", false],
    ["GET /b HTTP/1.0", "/b", "", false],
    ["GET /c HTTP/1.1\r\nHost: c\r\nConnection: close", "/c", "c", false],
    ["GET /c HTTP/1.1\r\nHost: c", "/c", "c", true],
  ];
  for (const [text, target, host, keepAlive] of cases) {
    const head = parser.parse(text);
    assert.deepEqual([head.target, head.host, head.keepAlive], [target, host, keepAlive]);
  }
  assert.throws(() => parser.parse("GET /c HTTP/1.1"), BadRequest);
  assert.throws(() => parser.parse("GET /c HTTP/1.1"), BadRequest);
  assert.equal(parser.parse("GET /d HTTP/1.1\r\nHost: c").target, "/d");
});
