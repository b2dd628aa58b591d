import assert from "node:assert/strict";
import fc from "fast-check";
import { Connection } from "../../../lib/upstream/http/connection.ts";
import { MisconfiguredError } from "../../../lib/upstream/misconfigured_error.ts";
import { test } from "../../support/test.ts";

const URL_ASKED = new URL("https://registry.example:5000/v2/a/manifests/1?x=%20y");
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const LENGTH = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";

/** A connection whose other end has said all that it will. */
function fakeConn(pieces: readonly string[], ends = true) {
  const left = pieces.map((piece) => Uint8Array.from(piece, (c) => c.charCodeAt(0)));
  const conn = {
    sent: "",
    closed: 0,
    // As sockets may: not all at once.
    write(bytes: Uint8Array) {
      const taken = bytes.subarray(0, 7);
      conn.sent += new TextDecoder().decode(taken);
      return Promise.resolve(taken.length);
    },
    read(buffer: Uint8Array): Promise<number | null> {
      const [next] = left;
      if (next === undefined) {
        return ends ? Promise.resolve(null) : Promise.reject(new Error("read too far"));
      }
      const taken = next.subarray(0, buffer.length);
      buffer.set(taken);
      if (taken.length === next.length) left.shift();
      else left[0] = next.subarray(taken.length);
      return Promise.resolve(taken.length);
    },
    close: () => void conn.closed++,
  };
  return conn;
}

function connect(pieces: readonly string[], ends = true) {
  const conn = fakeConn(pieces, ends);
  return { conn, connection: new Connection(conn) };
}

async function bodyOf(connection: Connection): Promise<string> {
  let text = "";
  for (let part = await connection.read(); part !== undefined; part = await connection.read()) {
    assert.ok(part.length > 0);
    text += new TextDecoder("latin1").decode(part);
  }
  return text;
}

function exchange(connection: Connection, method = "GET") {
  return connection.exchange({ method, url: URL_ASKED, headers: {} });
}

test("a request is written once, its host that of the URL", async () => {
  const { conn, connection } = connect([LENGTH]);
  await connection.exchange({
    method: "POST",
    url: URL_ASKED,
    headers: {
      "X-A": ["b", "c"],
      "Host": "evil",
      "content-length": "999",
      "Transfer-Encoding": "chunked",
    },
    body: new TextEncoder().encode("a=b"),
  });
  assert.equal(
    conn.sent,
    "POST /v2/a/manifests/1?x=%20y HTTP/1.1\r\nhost: registry.example:5000\r\n" +
      "x-a: b\r\nx-a: c\r\nuser-agent: eddy\r\ncontent-length: 3\r\n\r\na=b",
  );
  const bad = { method: "GET", url: URL_ASKED, headers: { "x-a": "b\r\nx-c: d" } };
  await assert.rejects(connect([LENGTH]).connection.exchange(bad), MisconfiguredError);
});

test("answers, however they are cut, and whether another may follow", async () => {
  const cases: [answer: string, method: string, body: string, reusable: boolean][] = [
    [`${LENGTH}hello`, "GET", "hello", true],
    [`${LENGTH}`, "HEAD", "", true],
    ["HTTP/1.1 204 \r\n\r\n", "GET", "", true],
    ["HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n", "GET", "", true],
    [`HTTP/1.1 100 Go on\r\n\r\n${LENGTH}hello`, "GET", "hello", true],
    ["HTTP/1.1 200\nContent-Length:  2 \n\nhi", "GET", "hi", true],
    [`${CHUNKED}2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n`, "GET", "hello", true],
    [`${CHUNKED}0\r\n\r\n`, "GET", "", true],
    [CHUNKED, "HEAD", "", true],
    [`${LENGTH}hello HTTP/1.1 200`, "GET", "hello", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", "GET", "hi", false],
    ["HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nhi", "GET", "hi", false],
    ["HTTP/1.1 200 OK\r\n\r\nto the end", "GET", "to the end", false],
    ["HTTP/1.1 200 OK\r\nx: caf\u00e9\r\ncontent-length: 0\r\n\r\n", "GET", "", true],
  ];
  for (const [answer, method, body, reusable] of cases) {
    for (const pieces of [[answer], [...answer]]) {
      const { connection } = connect(pieces);
      const { status } = await exchange(connection, method);
      assert.ok([200, 204, 304].includes(status));
      assert.equal(await bodyOf(connection), body, answer);
      const whole = pieces.length === 1 || !answer.includes("hello HTTP");
      if (whole) assert.equal(connection.reusable, reusable, answer);
      connection.close();
      assert.equal(connection.reusable, false);
    }
  }
});

test("a connection with a body that was not read to its end is not used again", async () => {
  const { connection } = connect([`${LENGTH}hel`], false);
  await exchange(connection);
  await connection.read();
  assert.equal(connection.reusable, false);
});

test("a server that does not speak HTTP is told apart from one that stops", async () => {
  const cases: [answer: string, isOther: boolean][] = [
    ["SSH-2.0-x\r\n", true],
    ["\x15\x03\x01\0\x02\x02\x46", true],
    ["\x15\x03", true],
    ["<!DOCTYPE HTML>", true],
    ["HTTP/2 200 OK\r\n", true],
    ["", false],
    ["HT", false],
    ["HTTP/", false],
    ["HTTP/1.1 200 OK", false],
  ];
  for (const [answer, isOther] of cases) {
    const { connection } = connect(answer === "" ? [] : [answer]);
    await assert.rejects(exchange(connection), (error: unknown) => {
      assert.equal(error instanceof MisconfiguredError, isOther, JSON.stringify(answer));
      return true;
    });
  }
});

test("what is no answer is an error, never a guess", async () => {
  const broken = [
    "",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK\r\nx: y\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "SSH-2.0-x\r\n\r\n",
    "HTTP/1.1 600 No\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
    "HTTP/1.1 200 OK\r\n y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: y\0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\n",
    "HTTP/1.1 103 x\r\n\r\n".repeat(9),
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(300)}\r\n`,
    `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(20_000)}\r\n`.repeat(4)}\r\n`,
    "x".repeat(100_000),
  ];
  for (const answer of broken) {
    const name = JSON.stringify(answer.slice(0, 80));
    await assert.rejects(() => exchange(connect([answer]).connection), Error, name);
  }
  const bodies = [
    `${LENGTH}hell`,
    `${CHUNKED}5\r\nhel`,
    `${CHUNKED}5\r\nhello`,
    `${CHUNKED}5\r\nhelloX`,
    `${CHUNKED}x\r\n`,
    `${CHUNKED}-1\r\n`,
    `${CHUNKED}\r\n`,
    `${CHUNKED}fffffffffffff\r\n`,
    `${CHUNKED}0\r\n`,
    `${CHUNKED}0\r\nmalformed\r\n\r\n`,
    `${CHUNKED}${" ".repeat(2000)}`,
  ];
  for (const answer of bodies) {
    const { connection } = connect([answer]);
    await exchange(connection);
    await assert.rejects(() => bodyOf(connection), Error, JSON.stringify(answer.slice(40)));
  }
});

test("chunks of all sizes, cut anywhere, make up the body", async () => {
  const parts = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "grapheme-ascii" }));
  await fc.assert(fc.asyncProperty(parts, fc.integer({ min: 1, max: 50 }), async (chunks, size) => {
    const wire = CHUNKED +
      [...chunks, ""].map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join("");
    const pieces = wire.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const { connection } = connect(pieces);
    await exchange(connection);
    assert.equal(await bodyOf(connection), chunks.join(""));
    assert.equal(connection.reusable, true);
  }));
});
