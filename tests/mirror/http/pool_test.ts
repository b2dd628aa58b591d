import assert from "node:assert/strict";
import { ConnectionPool, type PeerBody, type PeerRequest } from "../../../lib/mirror/http/pool.ts";
import { test } from "../../support/test.ts";
import { noise } from "../rig.ts";
import { type Answer, ScriptServer } from "./script_server.ts";

const OPTIONS = { poolIdlePerHost: 2, poolIdleTotal: 3, poolIdleTimeoutMs: 60_000 };
const NEVER = new AbortController().signal;
const SMALL: Answer = { pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"] };

function request(port: number, method: "GET" | "HEAD" = "GET"): PeerRequest {
  return { address: "127.0.0.1", port, method, path: "/v2/?ns=x", headers: { range: "bytes=1-" } };
}

async function readAll(body: PeerBody, maxBytes = 1000): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await body.read(maxBytes); part !== undefined; part = await body.read(maxBytes)) {
    assert.ok(part.length > 0 && part.length <= maxBytes, `${part.length} bytes`);
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** A pool that is closed at the end. */
function pool(options = OPTIONS): ConnectionPool & Disposable {
  const made = new ConnectionPool(options);
  return Object.assign(made, { [Symbol.dispose]: () => made.close() });
}

test("connections: a request is sent as it is meant, and answered however it is cut", async () => {
  const content = noise(5000);
  const head = "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5000\r\n\r\n";
  const scripts: Answer[] = [
    { pieces: [head, content] },
    { pieces: [head.slice(0, 9), head.slice(9), content.slice(0, 1), content.slice(1)] },
    { pieces: [head.slice(0, -1), "\n", content] },
    { pieces: ["HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", head, content] },
  ];
  for (const script of scripts) {
    await using server = new ScriptServer([script]);
    using connections = pool();
    const { status, headers, body } = await connections.send(request(server.port), NEVER);
    assert.equal(status, 200);
    assert.equal(headers.get("X-A"), "b");
    assert.equal(body.left, 5000);
    assert.deepEqual(await readAll(body), content);
    assert.equal(
      server.requests[0],
      `GET /v2/?ns=x HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nrange: bytes=1-\r\n\r\n`,
    );
  }
});

test("connections: one that was read to its end is used again, after HEAD and 304 too", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n";
  const unchanged = { pieces: ["HTTP/1.1 304 Not Modified\r\n\r\n"] };
  await using server = new ScriptServer([SMALL, { pieces: [head] }, unchanged, SMALL]);
  using connections = pool();
  for (const method of ["GET", "HEAD", "GET", "GET"] as const) {
    const { body } = await connections.send(request(server.port, method), NEVER);
    await readAll(body);
    body.close();
  }
  assert.equal(server.connections, 1);
  assert.equal(connections.open, 1);
});

test("connections: one that cannot be told to be clean is not used again", async () => {
  const cases: Record<string, string> = {
    "it says so": "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    "more than the body came": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi HTTP/1.1 200",
    "it has no length": "HTTP/1.1 200 OK\r\n\r\nhi",
    "it is in chunks": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  };
  for (const [why, answer] of Object.entries(cases)) {
    await using server = new ScriptServer([{ pieces: [answer] }, SMALL]);
    using connections = pool();
    const { body } = await connections.send(request(server.port), NEVER);
    const text = new TextDecoder().decode(await readAll(body));
    assert.equal(text, answer.includes("content-length") ? "hi" : "", why);
    assert.equal(connections.open, 0, why);
    await readAll((await connections.send(request(server.port), NEVER)).body);
    assert.equal(server.connections, 2, why);
  }
});

test("connections: one that the peer closed meanwhile is replaced, once", async () => {
  await using server = new ScriptServer([{ ...SMALL, close: true }, SMALL]);
  using connections = pool();
  await readAll((await connections.send(request(server.port), NEVER)).body);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await readAll((await connections.send(request(server.port), NEVER)).body);
  assert.equal(server.connections, 2);
  // The script is at its end: the kept connection and the new one are both closed unanswered.
  await assert.rejects(connections.send(request(server.port), NEVER), /before an answer/);
  assert.equal(server.connections, 3);
  assert.equal(connections.open, 0);
});

test("connections: malformed answers and early ends are errors, and leave nothing open", async () => {
  const early = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi";
  const cases: [answer: string, want: RegExp][] = [
    ["220 ready\r\n\r\n", /malformed status line/],
    [`HTTP/1.1 200 OK\r\na: ${"b".repeat(20_000)}\r\n\r\n`, /head of more than/],
    ["HTTP/1.1 100 Continue\r\n\r\n".repeat(6), /too many informational/],
    ["HTTP/1.1 200 OK\r\n", /ended before an answer/],
    [early, /ended 8 bytes before the body's end/],
  ];
  for (const [answer, want] of cases) {
    await using server = new ScriptServer([{ pieces: [answer], close: true }]);
    using connections = pool();
    const read = connections.send(request(server.port), NEVER).then(({ body }) => readAll(body));
    await assert.rejects(read, want);
    assert.equal(connections.open, 0);
  }
});

test("connections: an abort ends a request, and nothing after the answer", async () => {
  await using server = new ScriptServer([{ pieces: [] }, SMALL]);
  using connections = pool();
  const abort = new AbortController();
  const silent = connections.send(request(server.port), abort.signal);
  setTimeout(() => abort.abort(new Error("no more")), 20);
  await assert.rejects(silent, /no more/);
  assert.equal(connections.open, 0);
  const later = new AbortController();
  const { body } = await connections.send(request(server.port), later.signal);
  later.abort();
  assert.equal((await readAll(body)).length, 2);
  await assert.rejects(connections.send(request(server.port), abort.signal), /no more/);
});

test("connections: a body that is closed ends its connection and a read under way", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi";
  await using server = new ScriptServer([{ pieces: [head] }]);
  using connections = pool();
  const { body } = await connections.send(request(server.port), NEVER);
  assert.equal((await body.read(100))?.length, 2);
  const pending = body.read(100);
  body.close();
  await assert.rejects(pending);
  assert.equal(connections.open, 0);
});

test("connections: no more idle ones are kept than the options say, and not for long", async () => {
  await using server = new ScriptServer([SMALL, SMALL, SMALL]);
  using connections = pool({ ...OPTIONS, poolIdleTimeoutMs: 30 });
  const answers = await Promise.all(
    [1, 2, 3].map(() => connections.send(request(server.port), NEVER)),
  );
  assert.equal(connections.open, 3);
  for (const { body } of answers) await readAll(body);
  assert.equal(connections.open, 2);
  for (let i = 0; i < 200 && connections.open > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(connections.open, 0);
});
