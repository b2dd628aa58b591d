import assert from "node:assert/strict";
import {
  HEAD_MS,
  HttpConnection,
  IDLE_MS,
  type Respond,
  type Socket,
  STALL_MS,
} from "../../lib/net/http/http_connection.ts";
import { UnreadAnswers } from "../../lib/net/http/unread_answers.ts";
import { WholeResponse } from "../../lib/net/http/whole_response.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

/** The server's end of a connection whose client is the test. */
class FakeSocket implements Socket {
  /** What the client has got. */
  received = "";
  closed = false;
  /** How many bytes the client takes at a time; 0: it does not read. */
  takes = Infinity;
  #sent: Uint8Array[] = [];
  #ended = false;
  #wake = () => {};

  send(text: string): void {
    this.#sent.push(new TextEncoder().encode(text));
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#sent.length === 0) {
      if (this.closed) throw new Deno.errors.Interrupted("closed");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const next = this.#sent.shift() ?? new Uint8Array(0);
    const read = next.subarray(0, buffer.length);
    buffer.set(read);
    if (read.length < next.length) this.#sent.unshift(next.subarray(read.length));
    return read.length;
  }

  /** As Deno 2.6: closing does not end a write that waits. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.takes === 0) await new Promise(() => {});
    const taken = bytes.subarray(0, this.takes);
    this.received += new TextDecoder().decode(taken);
    await undefined;
    return taken.length;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }
}

function setup(
  respond: Respond = (request) => new Response(`you asked for ${request.url}`),
  unread = new UnreadAnswers(),
) {
  const clock = new FakeClock();
  const socket = new FakeSocket();
  const log = new MemoryLog();
  const connection = new HttpConnection(socket, {
    ...{ respond, clock, log },
    scheme: "http",
    defaultHost: "127.0.0.1:5000",
    date: () => "Thu, 01 Jan 2026 00:00:00 GMT",
    unread,
  });
  const ended = connection.run();
  const wait = async (ms: number, step = 1000) => {
    for (let passed = 0; passed < ms; passed += step) {
      await clock.advance(Math.min(step, ms - passed));
      connection.check();
    }
    await clock.advance(0);
  };
  return { clock, socket, log, connection, ended, wait };
}

const GET = "GET /a HTTP/1.1\r\nHost: node\r\n\r\n";

test("http connection: one answer after the other, however the requests arrive", async () => {
  for (const pieces of [[GET + GET], [...(GET + GET)], [GET, GET], [`${GET}GET `, GET.slice(4)]]) {
    const s = setup();
    for (const piece of pieces) {
      s.socket.send(piece);
      await s.wait(0);
    }
    const answer = "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
      "content-type: text/plain;charset=UTF-8\r\ncontent-length: 29\r\n\r\n" +
      "you asked for http://node/a";
    assert.equal(s.socket.received, answer.replace("29", "27").repeat(2));
    assert.equal(s.socket.closed, false);
    s.socket.end();
    await s.ended;
    assert.equal(s.socket.closed, true);
  }
});

test("http connection: a head that does not arrive in time ends it, byte by byte or not", async () => {
  const s = setup();
  await s.wait(HEAD_MS - 2000);
  s.socket.send("GET / HTTP/1.1\r\n");
  await s.wait(1000);
  s.socket.send("X: y");
  assert.equal(s.socket.closed, false);
  await s.wait(1000);
  assert.equal(s.socket.closed, true);
  await s.ended;
});

test("http connection: idle it ends after a while, and a head that has begun has its own time", async () => {
  const s = setup();
  s.socket.send(GET);
  await s.wait(IDLE_MS - 1000, 10_000);
  assert.equal(s.socket.closed, false);
  s.socket.send("GET /");
  await s.wait(HEAD_MS - 1000);
  assert.equal(s.socket.closed, false);
  await s.wait(1000);
  assert.equal(s.socket.closed, true);
  const other = setup();
  other.socket.send(GET);
  await other.wait(IDLE_MS, 10_000);
  assert.equal(other.socket.closed, true);
});

test("http connection: a client that does not read is let go, its body cancelled, at once", async () => {
  for (const takes of [0, 1]) {
    let cancelled = false;
    const body = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(256 * 1024)),
        cancel: () => void (cancelled = true),
      }, { highWaterMark: 0 });
    const s = setup(() => new Response(body(), { headers: { "content-length": "100000000" } }));
    const { write } = s.socket;
    // A byte a second is no progress either.
    if (takes === 1) {
      s.socket.write = async (bytes) => {
        await s.clock.sleep(1000);
        return await write.call(s.socket, bytes.subarray(0, 1));
      };
    } else s.socket.takes = 0;
    s.socket.send(GET);
    await s.wait(STALL_MS - 1000);
    assert.equal(cancelled, false, `${takes}`);
    await s.wait(2000);
    assert.equal(cancelled, true, `${takes}`);
    assert.equal(s.socket.closed, true);
  }
});

test("http connection: a slow client that reads, and a slow source, are waited for", async () => {
  const length = 3 * 128 * 1024;
  const s = setup(() => {
    let left = 3;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await s.clock.sleep(2 * STALL_MS);
        if (left-- > 0) controller.enqueue(new Uint8Array(128 * 1024));
        else controller.close();
      },
    }, { highWaterMark: 0 });
    return new Response(body, { headers: { "content-length": `${length}` } });
  });
  const { write } = s.socket;
  s.socket.write = async (bytes) => {
    await s.clock.sleep(STALL_MS - 1000);
    return await write.call(s.socket, bytes.subarray(0, 64 * 1024));
  };
  s.socket.send(GET);
  await s.wait(16 * STALL_MS, 10_000);
  assert.equal(s.socket.closed, false);
  assert.equal(s.socket.received.split("\r\n\r\n")[1]?.length, length);
  s.socket.end();
  await s.ended;
});

test("http connection: a client that goes away is noticed by whoever works for it", async () => {
  let signal: AbortSignal | undefined;
  const s = setup((request) => {
    signal = request.signal;
    return new Promise((_resolve, reject) => {
      request.signal.addEventListener("abort", () => reject(new Error("too late")));
    });
  });
  s.socket.send(GET);
  await s.wait(0);
  assert.equal(signal?.aborted, false);
  s.socket.end();
  await s.wait(0);
  assert.equal(signal?.aborted, true);
  await s.ended;
});

test("http connection: a body is neither read nor taken for a request, and ends the connection", async () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  for (
    const framing of [`Content-Length: ${smuggled.length}`, "Transfer-Encoding: chunked"]
  ) {
    const s = setup();
    s.socket.send(`POST /a HTTP/1.1\r\nHost: node\r\n${framing}\r\n\r\n${smuggled}`);
    await s.wait(5000);
    assert.equal(s.socket.received.match(/HTTP\/1\.1/g)?.length, 1);
    assert.match(s.socket.received, /connection: close/);
    assert.equal(s.socket.closed, true);
    await s.ended;
  }
});

test("http connection: what is malformed gets one answer, and the end", async () => {
  const cases: [string, number][] = [
    ["nonsense\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(40_000)}`, 431],
    [`GET / HTTP/1.1\r\n\r\n${GET}`, 400],
  ];
  for (const [text, status] of cases) {
    const s = setup();
    s.socket.send(text);
    await s.wait(5000);
    assert.match(s.socket.received, new RegExp(`^HTTP/1.1 ${status} `));
    assert.equal(s.socket.received.match(/HTTP\/1\.1/g)?.length, 1);
    assert.equal(s.socket.closed, true);
    await s.ended;
  }
});

test("http connection: a body with another length than announced is never ended as if whole", async () => {
  const cases: [announced: string, body: BodyInit][] = [
    ["5", "four"],
    ["3", "four"],
    ["5", new Blob(["four"]).stream()],
  ];
  for (const [announced, body] of cases) {
    const s = setup(() => new Response(body, { headers: { "content-length": announced } }));
    s.socket.send(GET);
    await s.wait(0);
    assert.equal(s.socket.closed, true);
    assert.ok((s.socket.received.split("\r\n\r\n")[1] ?? "").length < Number(announced));
    await s.ended;
  }
});

test("http connection: an answer that is whole is what the same in pieces is", async () => {
  const cases: [body: string | Uint8Array<ArrayBuffer> | null, headers: Record<string, string>][] =
    [
      ["four", { "content-type": "text/plain" }],
      ["f\u00fcr", { "content-type": "text/plain", "content-length": "4" }],
      [new TextEncoder().encode("four"), { "content-type": "a/b", "content-length": "4" }],
      [null, { "content-type": "a/b" }],
      ["", { "content-type": "a/b", "x-b": "\u00fc" }],
    ];
  for (const method of ["GET", "HEAD"]) {
    for (const [body, headers] of cases) {
      for (const status of [200, 404]) {
        const answers: string[] = [];
        for (const Answer of [WholeResponse, Response]) {
          const s = setup(() => new Answer(body, { status, headers }));
          s.socket.send(GET.replace("GET", method));
          await s.wait(0);
          assert.equal(s.socket.closed, false);
          const [head = "", ...rest] = s.socket.received.split("\r\n\r\n");
          // Of HEAD the length may be told or not.
          const lines = head.split("\r\n").filter((line) =>
            method === "GET" || !/length/.test(line)
          );
          answers.push(JSON.stringify([lines.sort(), rest]));
          s.connection.close();
          await s.ended;
        }
        assert.equal(answers[0], answers[1]);
      }
    }
  }
  const s = setup(() =>
    new WholeResponse("four", { status: 200, headers: { "content-length": "5" } })
  );
  s.socket.send(GET);
  await s.ended;
  assert.equal(s.socket.received, "");
});

test("http connection: answers without a body have none, whatever their length", async () => {
  const headers = { "content-length": "4" };
  const cases: [request: string, answer: Response, wanted: RegExp][] = [
    [GET.replace("GET", "HEAD"), new Response(null, { headers }), /content-length: 4\r\n\r\n$/],
    [
      GET.replace("GET", "HEAD"),
      new Response("four", { headers }),
      /content-length: 4\r\n.*\r\n\r\n$/s,
    ],
    [GET, new Response(null, { status: 404 }), /404 Not Found\r\n.*content-length: 0\r\n\r\n$/s],
    [GET, new Response(null, { status: 304 }), /304 \r\ndate: [^\r]*\r\n\r\n$/],
    [GET, new Response("four", { status: 418 }), /^HTTP\/1.1 418 \r\n.*\r\n\r\nfour$/s],
  ];
  for (const [request, answer, wanted] of cases) {
    const s = setup(() => answer);
    s.socket.send(request);
    await s.wait(0);
    assert.match(s.socket.received, wanted);
    assert.equal(s.socket.closed, false);
    s.connection.close();
    await s.ended;
  }
});

test("http connection: asked to finish it ends idle at once, else after the answer", async () => {
  const idle = setup();
  idle.connection.finish();
  await idle.ended;
  let answer = (_: Response) => {};
  const busy = setup(() => new Promise((resolve) => answer = resolve));
  busy.socket.send(GET + GET);
  await busy.wait(0);
  busy.connection.finish();
  await busy.wait(0);
  assert.equal(busy.socket.closed, false);
  answer(new Response("first"));
  await busy.ended;
  assert.match(busy.socket.received, /first$/);
});

test("http connection: a handler that fails is a 500 without words", async () => {
  const s = setup(() => Promise.reject(new Error("secret")));
  s.socket.send(GET);
  await s.wait(0);
  assert.match(s.socket.received, /^HTTP\/1.1 500 .*\r\n\r\n$/s);
  assert.equal(s.log.lines[0]?.level, "error");
  s.connection.close();
  await s.ended;
});

test("http connection: who does not read a large answer gives way to who asks for one", async () => {
  const large = new Uint8Array(300_000).fill(97);
  const unread = new UnreadAnswers(400_000);
  const respond = () => new WholeResponse(large, { status: 200, headers: {} });
  const idle = setup(respond, unread);
  idle.socket.takes = 0;
  idle.socket.send(GET);
  await idle.wait(1000);
  const reader = setup(respond, unread);
  reader.socket.send(GET);
  await reader.wait(0);
  for (let turns = 0; reader.socket.received.length < large.length && turns < 100; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(reader.socket.received.endsWith("\r\n\r\n" + "a".repeat(large.length)));
  assert.deepEqual([idle.socket.closed, reader.socket.closed], [true, false]);
  reader.socket.end();
  await reader.ended;
});
