import assert from "node:assert/strict";
import { parseHead } from "../../../lib/mirror/http/head.ts";
import { test } from "../../support/test.ts";

const OK = "HTTP/1.1 200 OK";

test("heads: status, framing and whether the connection is kept", () => {
  const cases: [head: string[], status: number, length: number | undefined, kept: boolean][] = [
    [[OK, "Content-Length: 5"], 200, 5, true],
    [["HTTP/1.1 206", "content-length:0"], 206, 0, true],
    [["HTTP/1.1 404 Not Found", "CONTENT-LENGTH: \t 7 \t"], 404, 7, true],
    [["HTTP/1.0 200 OK", "content-length: 5"], 200, 5, false],
    [[OK, "content-length: 5", "connection: close"], 200, 5, false],
    [[OK, "content-length: 5", "Connection: x, Close"], 200, 5, false],
    [[OK, "content-length: 5", "connection: keep-alive"], 200, 5, true],
    [[OK, "transfer-encoding: chunked"], 200, undefined, true],
    [[OK], 200, undefined, true],
  ];
  for (const [lines, status, length, kept] of cases) {
    const head = parseHead(lines.join("\r\n"));
    assert.deepEqual([head.status, head.length, head.keepAlive], [status, length, kept], lines[0]);
  }
});

test("heads: fields by name in any case, repeated ones together", () => {
  const { headers } = parseHead([OK, "A: 1", "a: 2 ", "Docker-Content-Digest: x:y"].join("\r\n"));
  assert.equal(headers.get("A"), "1, 2");
  assert.equal(headers.get("docker-content-digest"), "x:y");
  assert.equal(headers.get("b"), null);
});

test("heads: what could be understood in two ways is refused", () => {
  const bad: Record<string, string[]> = {
    "nothing": [""],
    "another protocol": ["HTTP/2 200 OK"],
    "no status": ["HTTP/1.1 OK"],
    "a status of four digits": ["HTTP/1.1 2000 OK"],
    "control characters in the reason": ["HTTP/1.1 200 O\nK"],
    "a field without a colon": [OK, "content-length"],
    "a field without a name": [OK, ": 5"],
    "a blank before the colon": [OK, "content-length : 5"],
    "a folded line": [OK, "a: b", " c"],
    "a bare line feed in a value": [OK, "a: b\ncontent-length: 5"],
    "a bare carriage return": [OK, "a: b\rc"],
    "bytes that are no text": [OK, "a: \u00e9"],
    "two lengths": [OK, "content-length: 5", "content-length: 6"],
    "the same length twice": [OK, "content-length: 5", "content-length: 5"],
    "a negative length": [OK, "content-length: -5"],
    "a length with a sign": [OK, "content-length: +5"],
    "a length in hexadecimal": [OK, "content-length: 0x5"],
    "a length beyond all content": [OK, "content-length: 1234567890123456"],
    "an empty length": [OK, "content-length:"],
    "length and transfer encoding": [OK, "content-length: 5", "transfer-encoding: chunked"],
    "too many fields": [OK, ...Array.from({ length: 101 }, (_, index) => `a${index}: b`)],
  };
  for (const [what, lines] of Object.entries(bad)) {
    assert.throws(() => parseHead(lines.join("\r\n")), Error, what);
  }
});
