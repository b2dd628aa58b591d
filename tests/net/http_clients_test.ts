import assert from "node:assert/strict";
import { UnreadAnswers } from "../../lib/net/http/unread_answers.ts";
import { HttpConnection, type Respond } from "../../lib/net/http/http_connection.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

/** A client that sends these pieces, and waits for more than the clock allows. */
async function send(
  pieces: readonly string[],
  respond: Respond = ({ url }) => new Response(url),
) {
  const clock = new FakeClock();
  const left = pieces.map((piece) => Uint8Array.from(piece, (char) => char.charCodeAt(0)));
  let received = "";
  const connection = new HttpConnection({
    read: (buffer) => {
      const next = left.shift();
      if (next === undefined) return new Promise(() => {});
      buffer.set(next);
      return Promise.resolve(next.length);
    },
    write: (bytes) => {
      received += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
    closeWrite: () => Promise.resolve(),
    close: () => {},
  }, {
    ...{ respond, clock, scheme: "http", defaultHost: "127.0.0.1:5000", date: () => "today" },
    unread: new UnreadAnswers(),
    log: new MemoryLog(),
  });
  void connection.run();
  await clock.advance(0);
  return { connection, clock, received: () => received };
}

const HEAD = "GET /a HTTP/1.1\r\nHost: node\r\n\r\n";

test("http clients: what cannot become a head is refused at once", async () => {
  const cases = [
    // As containerd does to a registry on this node that it knows nothing of, before plain HTTP.
    "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03",
    "GET /a HTTP/1.0\n\n",
    "GET /a HTTP/1.1\nHost: node\n",
    "GET /a HTTP/1.1\rHost: node\r\r",
    "\n",
    "GET /\x00",
  ];
  for (const text of cases) {
    for (const pieces of [[text], [...text]]) {
      const { received } = await send(pieces);
      assert.match(received(), /^HTTP\/1.1 400 Bad Request\r\n/, JSON.stringify(pieces));
    }
  }
});

test("http clients: an empty line before a request is passed over", async () => {
  for (const pieces of [[`\r\n${HEAD}`], ["\r", "\n", HEAD], [HEAD, "\r\n", HEAD]]) {
    const { received } = await send(pieces);
    assert.match(received(), /^HTTP\/1.1 200 OK\r\n/, JSON.stringify(pieces));
    assert.doesNotMatch(received(), / 400 /, JSON.stringify(pieces));
  }
});

test("http clients: bytes beyond ASCII in a value stay as they are", async () => {
  // UTF-8 of ü, of É, and of à, whose last byte is a blank to some.
  for (const cookie of ["a=\xc3\xbc", "a=\xc3\x89", "\xc3\xa0"]) {
    const got: (string | null)[] = [];
    await send([HEAD.replace("\r\n\r\n", `\r\nCookie: ${cookie} \t\r\n\r\n`)], ({ headers }) => {
      got.push(headers.get("cookie"));
      return new Response();
    });
    assert.deepEqual(got, [cookie]);
  }
});

test("http clients: a Host that makes no URL is refused before a handler fails on it", async () => {
  const respond: Respond = ({ url }) => new Response(new URL(url).pathname);
  for (const host of ["a:99999", "1.2.3.999", "[:::]", "[1.2.3.4]", ":80", "xn--a"]) {
    const { received } = await send([HEAD.replace("node", host)], respond);
    assert.match(received(), /^HTTP\/1.1 400 Bad Request\r\n/, host);
  }
});

test("http clients: who asks while the server finishes is told to ask elsewhere next", async () => {
  let answer = (_: Response) => {};
  const s = await send([HEAD], () => new Promise((resolve) => answer = resolve));
  s.connection.finish();
  answer(new Response("last"));
  await s.clock.advance(0);
  assert.match(s.received(), /\r\nconnection: close\r\n(.*\r\n)*\r\nlast$/);
});
